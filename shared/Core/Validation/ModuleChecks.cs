using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>Checks on the LoRA tensors, module by module.</summary>
internal static class ModuleChecks
{
    // Entries of trained weights are of the order 0.01 to 1; a change this large per entry is a mistake of scale.
    private const double ExtremeRootMeanSquare = 10;

    public static void Present(ValidationContext context)
    {
        if (context.Layout is { Modules.IsEmpty: true })
            context.Add(IssueCodes.NoModules, RepositoryPath.Weights, "The file has no LoRA tensor.");
    }

    public static void BForA(ValidationContext context)
    {
        foreach (var module in Modules(context).Where(m => m is { A: not null, B: null }))
            context.Add(IssueCodes.AWithoutB, module.A!.Name, $"'{module.Name}' has no factor B.");
    }

    public static void AForB(ValidationContext context)
    {
        foreach (var module in Modules(context).Where(m => m is { A: null, B: not null }))
            context.Add(IssueCodes.BWithoutA, module.B!.Name, $"'{module.Name}' has no factor A.");
    }

    public static void Ranks(ValidationContext context)
    {
        foreach (var module in Modules(context))
        {
            if (module.A is { Shape: [var rows, ..] } a && context.Rules is { } rules && rules[module.Name].Rank is var rank && rows != rank)
                context.Add(IssueCodes.RankMismatch, a.Name, $"A has {rows} rows; the configuration gives '{module.Name}' the rank {rank}.");
        }
    }

    public static void Shapes(ValidationContext context)
    {
        foreach (var module in Modules(context).Where(m => m is { A: not null, B: not null }))
        {
            if (!ModuleShape.TryRead(module, out _, out var fault))
                context.Add(IssueCodes.ShapeMismatch, fault.Value.Tensor.Name, $"The tensor {fault.Value.Reason}.");
        }
    }

    public static void Vectors(ValidationContext context)
    {
        foreach (var module in Modules(context).Where(m => m is { A: not null, B: not null }))
        {
            if (!ModuleShape.TryRead(module, out var shape, out _))
                continue;
            if (module.FactorBias is { } bias && !bias.HasShape(shape.Out))
                context.Add(IssueCodes.ShapeMismatch, bias.Name, $"The bias has the shape {bias.ShapeText} instead of [{shape.Out}].");
            if (module.Magnitude is { } magnitude && magnitude.ElementCount != shape.Out && !(module.IsEmbedding && magnitude.ElementCount == shape.In))
                context.Add(IssueCodes.ShapeMismatch, magnitude.Name, $"The magnitude has the shape {magnitude.ShapeText}; the module has {shape.Out} outputs.");
        }
    }

    public static void Types(ValidationContext context)
    {
        foreach (var tensor in Modules(context).SelectMany(m => new[] { m.A, m.B, m.FactorBias, m.Magnitude }))
        {
            if (tensor is not null && !tensor.Type.IsFactorType())
                context.Add(IssueCodes.TypeUnsupported, tensor.Name, $"The tensor is of type {tensor.Type}.");
        }
    }

    public static void Targets(ValidationContext context)
    {
        foreach (var module in Modules(context))
        {
            if (context.Rules is { } rules && !rules[module.Name].IsTarget && (module.A ?? module.B) is { } factor)
                context.Add(IssueCodes.LoraNotInConfig, factor.Name, $"The configuration does not adapt '{module.Name}'.");
        }
    }

    public static void UnexplainedVectors(ValidationContext context)
    {
        if (context.Config?.Config is not { } config)
            return;
        foreach (var module in Modules(context))
        {
            if (module.Magnitude is { } magnitude && !config.UseDora)
                context.Add(IssueCodes.LoraNotInConfig, magnitude.Name, "The configuration does not set use_dora.");
            if (module.FactorBias is { } bias && !config.LoraBias)
                context.Add(IssueCodes.LoraNotInConfig, bias.Name, "The configuration does not set lora_bias.");
        }
    }

    public static void MissingVectors(ValidationContext context)
    {
        if (context.Config?.Config is not { } config)
            return;
        foreach (var module in Modules(context).Where(m => m is { A: not null, B: not null }))
        {
            if (config.UseDora && module.Magnitude is null)
                context.Add(IssueCodes.PartMissing, module.B!.Name, $"use_dora is set, but '{module.Name}' has no magnitude vector.");
            if (config.LoraBias && module is { FactorBias: null, IsEmbedding: false })
                context.Add(IssueCodes.PartMissing, module.B!.Name, $"lora_bias is set, but '{module.Name}' has no bias of factor B.");
        }
    }

    public static void Trained(ValidationContext context)
    {
        if (AllZero(context))
            context.Add(IssueCodes.Untrained, RepositoryPath.Weights, "Factor B is zero in every module, as it is before training.");
    }

    public static void TrainedModules(ValidationContext context)
    {
        if (AllZero(context))
            return;
        foreach (var module in Modules(context))
        {
            if ((IsZero(context, module.B) ? module.B : IsZero(context, module.A) ? module.A : null) is { } zero)
                context.Add(IssueCodes.ZeroModule, zero.Name, $"The factor is zero, so '{module.Name}' is not changed.");
        }
    }

    public static void Norms(ValidationContext context)
    {
        foreach (var (module, tensors) in context.Modules())
        {
            if (context.WeightsFile?.Norms.TryGetValue(module.Name, out var product) != true || !IsFinite(context, tensors.A!) || !IsFinite(context, tensors.B!))
                continue;
            var mean = Math.Abs(module.Scaling) * product / Math.Sqrt((double)module.Out * module.In);
            if (mean > ExtremeRootMeanSquare)
                context.Add(IssueCodes.ExtremeNorm, tensors.B!.Name, $"The change of '{module.Name}' has a root mean square of {mean:G3} per entry.");
        }
    }

    public static void Dora(ValidationContext context)
    {
        if (context.Config?.Config is { UseDora: true })
            context.Add(IssueCodes.Dora, "$.use_dora", "The change of the weights depends on the base model's weights.");
    }

    public static void FactorBiases(ValidationContext context)
    {
        if (context.Config?.Config is { LoraBias: true })
            context.Add(IssueCodes.LoraBias, "$.lora_bias", "The adapter adds biases beside the change of the weights.");
    }

    private static ImmutableArray<ModuleTensors> Modules(ValidationContext context) => context.Layout?.Modules ?? [];

    private static bool IsZero(ValidationContext context, TensorInfo? tensor) =>
        tensor is not null && context.WeightsFile!.Tensors.TryGetValue(tensor.Name, out var scan) && scan.IsZero;

    private static bool IsFinite(ValidationContext context, TensorInfo tensor) =>
        context.WeightsFile!.Tensors.TryGetValue(tensor.Name, out var scan) && scan.NonFinite == 0;

    private static bool AllZero(ValidationContext context) =>
        Modules(context).Any(m => m.B is not null) && Modules(context).Where(m => m.B is not null).All(m => IsZero(context, m.B));
}
