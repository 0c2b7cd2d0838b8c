using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>
/// Computes |B·A| of each module while the file streams by: keeps a factor until its partner is there, then lets both go. Files in
/// ordinary order hold partners side by side; one that does not may exceed the memory set aside, and its norms stay unknown.
/// </summary>
internal sealed class FactorCollector
{
    private const long MemoryLimit = 256L << 20;
    private const int RankLimit = 1024; // the work grows with the square of the rank

    private readonly Dictionary<string, (string Module, bool IsA)> roles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (TensorInfo A, TensorInfo B)> pairs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> held = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> norms = new(StringComparer.Ordinal);
    private double[] numbersA = [];
    private double[] numbersB = [];
    private long heldBytes;
    private int filled;

    public FactorCollector(AdapterLayout layout)
    {
        foreach (var module in layout.Modules)
        {
            if (module is not { A: { } a, B: { } b } || !a.Type.IsFactorType() || !b.Type.IsFactorType())
                continue;
            if (!ModuleShape.TryRead(module, out var shape, out _) || shape.Rank > RankLimit)
                continue;
            pairs.Add(module.Name, (a, b));
            roles.Add(a.Name, (module.Name, true));
            roles.Add(b.Name, (module.Name, false));
        }
    }

    /// <summary>|B·A| by module, without the scaling.</summary>
    public IReadOnlyDictionary<string, double> Norms => norms;

    public void Feed(TensorInfo tensor, ReadOnlySpan<byte> part)
    {
        if (!roles.ContainsKey(tensor.Name))
            return;
        if (!held.TryGetValue(tensor.Name, out var bytes))
        {
            if (heldBytes + tensor.ByteLength > MemoryLimit)
            {
                Forget(tensor.Name);
                return;
            }

            held.Add(tensor.Name, bytes = new byte[tensor.ByteLength]);
            (heldBytes, filled) = (heldBytes + tensor.ByteLength, 0);
        }

        part.CopyTo(bytes.AsSpan(filled));
        filled += part.Length;
    }

    public void Complete(TensorInfo tensor)
    {
        if (!roles.TryGetValue(tensor.Name, out var role))
            return;
        var (a, b) = pairs[role.Module];
        if (!held.TryGetValue(a.Name, out var bytesA) || !held.TryGetValue(b.Name, out var bytesB))
            return;
        var rank = (int)a.Shape[0];
        norms[role.Module] = FactorProducts.Norm(Widen(b, bytesB, ref numbersB), Widen(a, bytesA, ref numbersA), rank);
        held.Remove(a.Name);
        held.Remove(b.Name);
        heldBytes -= a.ByteLength + b.ByteLength;
    }

    // The largest module's memory serves all.
    private static ReadOnlySpan<double> Widen(TensorInfo tensor, byte[] bytes, ref double[] numbers)
    {
        if (numbers.Length < tensor.ElementCount)
            numbers = new double[tensor.ElementCount];
        var used = numbers.AsSpan(0, (int)tensor.ElementCount);
        TensorConversion.ToDouble(tensor.Type, bytes, used);
        return used;
    }

    private void Forget(string tensor)
    {
        var (a, b) = pairs[roles[tensor].Module];
        foreach (var name in new[] { a.Name, b.Name })
        {
            roles.Remove(name);
            if (held.Remove(name, out var bytes))
                heldBytes -= bytes.Length;
        }
    }
}
