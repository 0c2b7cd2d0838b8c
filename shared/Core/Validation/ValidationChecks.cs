using System.Collections.Immutable;

namespace Marketplace.Core.Validation;

/// <summary>One check: looks at the context and adds its issues.</summary>
/// <param name="Name">Its name, unique.</param>
/// <param name="Run">The check.</param>
internal sealed record ValidationCheck(string Name, Action<ValidationContext> Run);

/// <summary>The table of all checks, in the order their issues are reported.</summary>
internal static class ValidationChecks
{
    public static ImmutableArray<ValidationCheck> All { get; } =
    [
        new("file paths are valid", FileChecks.Paths),
        new("file paths are unique", FileChecks.UniquePaths),
        new("files are few enough", FileChecks.Count),
        new("files are small enough", FileChecks.Sizes),
        new("no file is a pickle", FileChecks.Pickles),
        new("no weights lie elsewhere", FileChecks.OtherWeights),

        new("there is a configuration", ConfigChecks.Present),
        new("the configuration is no pointer", ConfigChecks.Pointer),
        new("the configuration can be read", ConfigChecks.Readable),
        new("patterns are quick", ConfigChecks.Timeouts),
        new("the rank is within limits", ConfigChecks.Rank),
        new("the base model has a name", ConfigChecks.Base),
        new("the model card names the same base model", ConfigChecks.Card),
        new("the adapter always acts", ConfigChecks.Activation),
        new("targets are named once", ConfigChecks.RepeatedTargets),
        new("targets have tensors", ConfigChecks.AbsentTargets),

        new("there are weights", WeightsChecks.Present),
        new("the weights are no pointer", WeightsChecks.Pointer),
        new("the weights are safetensors", WeightsChecks.Header),
        new("numbers are finite", WeightsChecks.Finite),
        new("tensors are known", WeightsChecks.Unknown),
        new("saved modules are told", WeightsChecks.SavedModules),
        new("saved parameters are declared", WeightsChecks.Undeclared),
        new("biases are told", WeightsChecks.Biases),
        new("trained tokens are told", WeightsChecks.TokenRows),

        new("there are modules", ModuleChecks.Present),
        new("every A has a B", ModuleChecks.BForA),
        new("every B has an A", ModuleChecks.AForB),
        new("ranks are as configured", ModuleChecks.Ranks),
        new("shapes fit together", ModuleChecks.Shapes),
        new("vectors fit their module", ModuleChecks.Vectors),
        new("factors are floating-point numbers", ModuleChecks.Types),
        new("modules are in the configuration", ModuleChecks.Targets),
        new("vectors are in the configuration", ModuleChecks.UnexplainedVectors),
        new("promised vectors are there", ModuleChecks.MissingVectors),
        new("the adapter is trained", ModuleChecks.Trained),
        new("modules are trained", ModuleChecks.TrainedModules),
        new("norms are plausible", ModuleChecks.Norms),
        new("DoRA is told", ModuleChecks.Dora),
        new("factor biases are told", ModuleChecks.FactorBiases),
    ];
}
