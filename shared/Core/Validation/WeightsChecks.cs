using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>Checks on adapter_model.safetensors and on the tensors that are no LoRA factors.</summary>
internal static class WeightsChecks
{
    public static void Present(ValidationContext context)
    {
        if (context.WeightsFile is null)
            context.Add(IssueCodes.WeightsMissing, RepositoryPath.Weights, "The adapter has no weights in safetensors form.");
    }

    public static void Pointer(ValidationContext context)
    {
        if (context.WeightsFile?.Kind == ContentKind.LfsPointer)
            context.Add(IssueCodes.WeightsLfsPointer, RepositoryPath.Weights, "This is a Git LFS pointer. Publish the file itself (git lfs pull).");
    }

    public static void Header(ValidationContext context)
    {
        foreach (var problem in context.WeightsFile?.Header?.Problems ?? [])
            context.Add(Code(problem.Error), problem.Tensor ?? RepositoryPath.Weights, problem.Message);
    }

    public static void Finite(ValidationContext context)
    {
        foreach (var (name, scan) in (context.WeightsFile?.Tensors ?? new Dictionary<string, TensorScan>()).OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            if (scan.NonFinite > 0)
                context.Add(IssueCodes.NonFinite, name, $"{scan.NonFinite} of its numbers are NaN or infinite.");
        }
    }

    public static void Unknown(ValidationContext context)
    {
        foreach (var tensor in context.Layout?.Unknown ?? [])
            context.Add(IssueCodes.UnknownTensor, tensor.Name, $"Nothing is known of tensors with this name; LoRA tensors are called {TensorName.Prefix}MODULE.lora_A.weight.");
    }

    public static void SavedModules(ValidationContext context) =>
        Tell(context, CarriedAs.SavedModule, IssueCodes.SavedModules, "tensors are full weights of saved modules");

    public static void Biases(ValidationContext context) =>
        Tell(context, CarriedAs.Bias, IssueCodes.BiasTensors, "tensors replace biases of the base model");

    public static void TokenRows(ValidationContext context) =>
        Tell(context, CarriedAs.TokenRows, IssueCodes.TrainedTokens, "tensors change rows of an embedding");

    public static void Undeclared(ValidationContext context)
    {
        foreach (var (tensor, _) in Carried(context, CarriedAs.Undeclared))
            context.Add(IssueCodes.UndeclaredSavedModule, tensor.Name, "The parameter is saved whole, but neither modules_to_save nor bias says so.");
    }

    // One issue for all: a model has hundreds of biases, and each says the same.
    private static void Tell(ValidationContext context, CarriedAs kind, string code, string what)
    {
        var tensors = Carried(context, kind).ToList();
        if (tensors.Count > 0)
            context.Add(code, tensors[0].Tensor.Name, $"{tensors.Count} {what}, this one first.");
    }

    private static IEnumerable<(TensorInfo Tensor, CarriedAs As)> Carried(ValidationContext context, CarriedAs kind) =>
        context is { Layout: { } layout, Config.Config: not null } ? layout.Carried.Where(c => c.As == kind) : [];

    private static string Code(SafetensorsError error) => error switch
    {
        SafetensorsError.TooShort or SafetensorsError.InvalidUtf8 or SafetensorsError.InvalidStart or SafetensorsError.InvalidJson => IssueCodes.NotSafetensors,
        SafetensorsError.HeaderTooLarge => IssueCodes.HeaderTooLarge,
        SafetensorsError.HeaderBeyondFile or SafetensorsError.Truncated => IssueCodes.Truncated,
        SafetensorsError.DuplicateKey => IssueCodes.HeaderDuplicate,
        SafetensorsError.InvalidOffsets or SafetensorsError.Overlap or SafetensorsError.Hole or SafetensorsError.SizeMismatch => IssueCodes.OffsetsInvalid,
        SafetensorsError.TrailingBytes => IssueCodes.TrailingBytes,
        SafetensorsError.TooManyTensors or SafetensorsError.NameTooLong or SafetensorsError.TooManyDimensions or SafetensorsError.MetadataTooLarge =>
            IssueCodes.LimitExceeded,
        _ => IssueCodes.HeaderInvalid,
    };
}
