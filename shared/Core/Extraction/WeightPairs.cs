using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Extraction;

/// <summary>A tensor of the base and its counterpart in the tuned model, of one shape and of types that can be computed with.</summary>
/// <param name="Base">In the base; for a head that the base ties to its embeddings, the embeddings.</param>
/// <param name="Tuned">In the tuned model, with the same reservation.</param>
/// <param name="Name">Its name in the model: the longer one where the two exports differ in the first part.</param>
public sealed record WeightPair(TensorInfo Base, TensorInfo Tuned, string Name);

/// <summary>The tensors of two models, matched by name: with or without the model's name at the front, tied heads through their embeddings.</summary>
/// <param name="Pairs">Tensors that both have, in ordinal order.</param>
/// <param name="Unmatched">Tensors that only one has, or that differ in shape, or that differ and can't be computed with.</param>
/// <param name="Equal">Number of tensors that can't be computed with and are the same in both.</param>
public sealed record WeightPairs(ImmutableArray<WeightPair> Pairs, ImmutableArray<LeftOut> Unmatched, int Equal)
{
    /// <summary>Matches the tensors of two models. Nothing but headers is read, except for tensors of types that can't be computed with, whose bytes are compared.</summary>
    public static WeightPairs Of(BaseWeights first, BaseWeights second)
    {
        var pairs = new SortedDictionary<string, WeightPair>(StringComparer.Ordinal);
        var unmatched = new SortedDictionary<string, LeftOut>(StringComparer.Ordinal);
        var equal = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tuned in second.Tensors)
            Match(first.Find(tuned.Name), tuned);
        foreach (var tensor in first.Tensors)
            Match(tensor, second.Find(tensor.Name));
        return new([.. pairs.Values], [.. unmatched.Values], equal.Count);

        void Match(TensorInfo? x, TensorInfo? y)
        {
            var name = Name(first, x, second, y);
            if (pairs.ContainsKey(name) || unmatched.ContainsKey(name))
                return;
            if (x is null)
                unmatched.Add(name, new(name, LeftOut.OnlyInTuned, "Only the tuned model has it."));
            else if (y is null)
                unmatched.Add(name, new(name, LeftOut.OnlyInBase, "Only the base has it."));
            else if (!x.Shape.SequenceEqual(y.Shape))
                unmatched.Add(name, new(name, LeftOut.ShapeChanged, $"The shape is {x.ShapeText} in the base and {y.ShapeText} in the tuned model."));
            else if (x.Type.IsFactorType() && y.Type.IsFactorType())
                pairs.Add(name, new(x, y, name));
            else if (first.SameBytes(x, second, y))
                equal.Add(name);
            else
                unmatched.Add(name, new(name, LeftOut.TypeUnsupported, $"It is stored as {x.Type} in the base and {y.Type} in the tuned model; only F64, F32, F16 and BF16 can be computed with."));
        }
    }

    // A head that one model ties to its embeddings has the name that the other gives it.
    private static string Name(BaseWeights first, TensorInfo? x, BaseWeights second, TensorInfo? y)
    {
        string?[] names = [x is null ? null : Full(first, x.Name), y is null ? null : Full(second, y.Name)];
        return names.OfType<string>().OrderByDescending(IsHead).ThenByDescending(n => n.Length).First();
    }

    private static bool IsHead(string tensor) => ModelNaming.ModuleOf(tensor) is { } module && ModelNaming.IsHead(module);

    private static string Full(BaseWeights weights, string tensor) =>
        tensor.LastIndexOf('.') is > 0 and var dot ? weights.ModuleName(tensor[..dot]) + tensor[dot..] : tensor;
}
