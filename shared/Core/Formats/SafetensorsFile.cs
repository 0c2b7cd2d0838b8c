using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Marketplace.Core.Formats;

/// <summary>
/// A safetensors file whose tensors are read in place: memory-mapped, or over bytes already in memory. Views borrow the file's memory
/// and must not be used after <see cref="Dispose"/>; a mapped file must not be shortened while it is open. Reading is safe from several threads.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile? map;
    private readonly MemoryMappedViewAccessor? view;
    private MemoryHandle pin;
    private byte* data;

    private SafetensorsFile(SafetensorsHeader header, MemoryMappedFile map, MemoryMappedViewAccessor view)
    {
        (Header, this.map, this.view) = (header, map, view);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        data = start + view.PointerOffset + header.DataStart;
    }

    private SafetensorsFile(SafetensorsHeader header, MemoryHandle pin)
    {
        (Header, this.pin) = (header, pin);
        data = (byte*)pin.Pointer + header.DataStart;
    }

    /// <summary>The validated header.</summary>
    public SafetensorsHeader Header { get; }

    /// <summary>The tensors in the order of their data.</summary>
    public ImmutableArray<TensorInfo> Tensors => Header.Tensors;

    /// <summary>Maps the file at <paramref name="path"/>; false with the problems of its header if it is not a safetensors file.</summary>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static bool TryOpen(
        string path, [NotNullWhen(true)] out SafetensorsFile? file, out ImmutableArray<SafetensorsProblem> problems, SafetensorsLimits? limits = null)
    {
        file = null;
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var parse = SafetensorsHeader.Parse(stream, stream.Length, limits);
        problems = parse.Problems;
        if (parse.Header is null)
            return false;
        var map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        file = new SafetensorsFile(parse.Header, map, map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read));
        return true;
    }

    /// <summary>Maps the file at <paramref name="path"/>, known to be valid.</summary>
    /// <exception cref="InvalidDataException">It is not a safetensors file.</exception>
    public static SafetensorsFile Open(string path) => TryOpen(path, out var file, out var problems) ? file : throw Invalid(problems);

    /// <summary>Reads from bytes in memory; false with the problems of the header if they are not a safetensors file.</summary>
    public static bool TryRead(
        ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out SafetensorsFile? file, out ImmutableArray<SafetensorsProblem> problems,
        SafetensorsLimits? limits = null)
    {
        var parse = SafetensorsHeader.Parse(bytes.Span, limits);
        problems = parse.Problems;
        file = parse.Header is { } header ? new SafetensorsFile(header, bytes.Pin()) : null;
        return file is not null;
    }

    /// <summary>Reads from bytes in memory, known to be valid.</summary>
    /// <exception cref="InvalidDataException">They are not a safetensors file.</exception>
    public static SafetensorsFile Read(ReadOnlyMemory<byte> bytes) => TryRead(bytes, out var file, out var problems) ? file : throw Invalid(problems);

    /// <summary>The tensor of that name, or null.</summary>
    public TensorInfo? Find(string name) => Header.Find(name);

    /// <summary>A tensor's bytes, in place.</summary>
    /// <exception cref="OverflowException">It has more than 2³¹ − 1 bytes; read it in parts.</exception>
    public ReadOnlySpan<byte> Bytes(TensorInfo tensor) => Bytes(tensor, 0, checked((int)tensor.ByteLength));

    /// <summary>Part of a tensor's bytes, in place.</summary>
    public ReadOnlySpan<byte> Bytes(TensorInfo tensor, long start, int length)
    {
        ObjectDisposedException.ThrowIf(data is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + length, tensor.ByteLength);
        return new ReadOnlySpan<byte>(data + tensor.Begin + start, length);
    }

    /// <summary>A tensor's elements, in place; <typeparamref name="T"/> must be as wide as an element.</summary>
    /// <exception cref="ArgumentException">The widths differ.</exception>
    public ReadOnlySpan<T> View<T>(TensorInfo tensor)
        where T : unmanaged =>
        sizeof(T) * 8 == tensor.Type.Bits()
            ? MemoryMarshal.Cast<byte, T>(Bytes(tensor))
            : throw new ArgumentException($"'{tensor.Name}' has elements of {tensor.Type.Bits()} bits.", nameof(tensor));

    /// <summary>A tensor's elements as float64, row after row. F64, F32, F16 and BF16 are converted exactly.</summary>
    /// <exception cref="ArgumentException">The type is another.</exception>
    public double[] ReadDouble(TensorInfo tensor)
    {
        var values = GC.AllocateUninitializedArray<double>(checked((int)tensor.ElementCount));
        TensorConversion.ToDouble(tensor.Type, Bytes(tensor), values);
        return values;
    }

    /// <summary>A tensor's elements as float32, row after row. F32, F16 and BF16 are converted exactly, F64 is rounded.</summary>
    /// <exception cref="ArgumentException">The type is another.</exception>
    public float[] ReadSingle(TensorInfo tensor)
    {
        var values = GC.AllocateUninitializedArray<float>(checked((int)tensor.ElementCount));
        TensorConversion.ToSingle(tensor.Type, Bytes(tensor), values);
        return values;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (data is null)
            return;
        data = null;
        view?.SafeMemoryMappedViewHandle.ReleasePointer();
        view?.Dispose();
        map?.Dispose();
        pin.Dispose();
    }

    private static InvalidDataException Invalid(ImmutableArray<SafetensorsProblem> problems) =>
        new("Not a safetensors file. " + string.Join(' ', problems.Select(p => p.Message)));
}
