using System.Buffers;
using System.Collections.Immutable;
using System.Text;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>What the one pass over a file found.</summary>
internal sealed record FileScan(string Path, long Size, ContentKind Kind, Digest? Digest, string? GitSha1)
{
    /// <summary>The bytes of adapter_config.json; null for other files and if there are too many.</summary>
    public ReadOnlyMemory<byte>? Config { get; init; }

    /// <summary>The front matter of README.md; null for other files, and for one that is no text.</summary>
    public ModelCard? Card { get; init; }

    /// <summary>The header of adapter_model.safetensors, if the file is neither a pointer nor a pickle.</summary>
    public SafetensorsParse? Header { get; init; }

    /// <summary>What its numbers are like, by tensor.</summary>
    public IReadOnlyDictionary<string, TensorScan> Tensors { get; init; } = ImmutableDictionary<string, TensorScan>.Empty;

    /// <summary>|B·A| by module.</summary>
    public IReadOnlyDictionary<string, double> Norms { get; init; } = ImmutableDictionary<string, double>.Empty;

    /// <summary>Reads a file once, from its first byte to its last. Files over the limit are not read.</summary>
    /// <exception cref="IOException">The file can't be read, or its length is not what it was said to be.</exception>
    public static FileScan Of(AdapterFile file, ValidationOptions options, ValidationLimits limits)
    {
        if (file.Size > limits.FileBytes)
            return new(file.Path, file.Size, ContentKind.Other, null, null);
        using var reader = new HashingReader(file.Open(), file.Size, options.GitHashes);
        var kind = ContentKinds.Of(reader.Prefix);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        try
        {
            return file.Path switch
            {
                RepositoryPath.Config when file.Size <= limits.ConfigBytes => ScanConfig(file, kind, reader, buffer),
                RepositoryPath.Card when kind == ContentKind.Other => ScanCard(file, reader, buffer),
                RepositoryPath.Weights when kind == ContentKind.Other => ScanWeights(file, reader, buffer, options),
                _ => Finished(file, kind, reader.Finish(buffer)),
            };
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static FileScan Finished(AdapterFile file, ContentKind kind, (Digest Digest, string? GitSha1) hashes) =>
        new(file.Path, file.Size, kind, hashes.Digest, hashes.GitSha1);

    private static FileScan ScanConfig(AdapterFile file, ContentKind kind, HashingReader reader, byte[] buffer)
    {
        var bytes = new byte[file.Size];
        reader.ReadExactly(bytes);
        return Finished(file, kind, reader.Finish(buffer)) with { Config = bytes };
    }

    // A file may be gigabytes long, whatever its name.
    private static FileScan ScanCard(AdapterFile file, HashingReader reader, byte[] buffer)
    {
        var head = new byte[Math.Min(file.Size, ModelCard.MaxLength)];
        reader.ReadExactly(head);
        var card = ModelCard.Parse(Encoding.UTF8.GetString(head));
        return Finished(file, ContentKind.Other, reader.Finish(buffer)) with { Card = card };
    }

    private static FileScan ScanWeights(AdapterFile file, HashingReader reader, byte[] buffer, ValidationOptions options)
    {
        var parse = SafetensorsHeader.Parse(reader, file.Size);
        if (parse.Header is not { } header)
            return Finished(file, ContentKind.Other, reader.Finish(buffer)) with { Header = parse };
        var factors = options.Norms ? new FactorCollector(AdapterLayout.Of(header.Tensors, null)) : null;
        var scanner = new TensorScanner(header, factors);
        var hashes = reader.Finish(buffer, (piece, length) => scanner.Feed(piece.AsSpan(0, length)));
        scanner.Feed([]); // empty tensors after the last byte
        return Finished(file, ContentKind.Other, hashes) with
        {
            Header = parse,
            Tensors = scanner.Scans,
            Norms = factors?.Norms ?? ImmutableDictionary<string, double>.Empty,
        };
    }
}
