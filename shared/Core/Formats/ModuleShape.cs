using System.Diagnostics.CodeAnalysis;

namespace Marketplace.Core.Formats;

/// <summary>The dimensions that a module's factors show.</summary>
/// <param name="Kind">How the layer stores its weight.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Rank">Rows of A.</param>
/// <param name="Kernel">Kernel height and width of a convolution.</param>
internal sealed record ModuleShape(ModuleKind Kind, int Out, int In, int Rank, (int Height, int Width)? Kernel)
{
    /// <summary>Reads the shapes of A and B; false with the tensor at fault and the reason where they do not fit together.</summary>
    public static bool TryRead(
        ModuleTensors module, [NotNullWhen(true)] out ModuleShape? shape, [NotNullWhen(false)] out (TensorInfo Tensor, string Reason)? fault)
    {
        (shape, fault) = (null, null);
        if (module is not { A: { } a, B: { } b })
            throw new ArgumentException("A shape needs both factors.", nameof(module));
        foreach (var tensor in new[] { a, b })
        {
            if (tensor.Shape.Length is not (2 or 4) || (module.IsEmbedding && tensor.Shape.Length != 2))
                fault = (tensor, $"has the shape {tensor.ShapeText}; factors have 2 dimensions, or 4 for a convolution");
            else if (tensor.Shape.Any(d => d == 0) || tensor.ElementCount > int.MaxValue)
                fault = (tensor, $"has the shape {tensor.ShapeText}, with no elements or too many");
            if (fault is not null)
                return false;
        }

        if (a.Shape.Length != b.Shape.Length || (b.Shape.Length == 4 && (b.Shape[2] != 1 || b.Shape[3] != 1)))
            fault = (b, $"has the shape {b.ShapeText}, which does not go with {a.ShapeText} of A");
        else if (a.Shape[0] != b.Shape[1])
            fault = (b, $"has {b.Shape[1]} columns, but A has {a.Shape[0]} rows");
        if (fault is not null)
            return false;

        var kind = module.IsEmbedding ? ModuleKind.Embedding : a.Shape.Length == 4 ? ModuleKind.Conv2d : ModuleKind.Linear;
        var rank = (int)a.Shape[0];
        shape = new(
            kind, (int)b.Shape[0], (int)(a.ElementCount / rank), rank,
            kind == ModuleKind.Conv2d ? ((int)a.Shape[2], (int)a.Shape[3]) : null);
        return true;
    }
}
