using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Kernels.Merges;

namespace Marketplace.Train;

/// <summary>Merges by the marketplace's own methods, written and read back as any merge is.</summary>
internal static class Merged
{
    /// <summary>What adapters name as their base model.</summary>
    public const string BaseModel = "marketplace/merit-base";

    private static readonly List<string> written = [];

    /// <summary>Carries out a recipe. The adapter is the caller's to dispose; its files stay until <see cref="Clear"/>.</summary>
    public static Adapter Of(MergeRecipe recipe, IReadOnlyList<Adapter> inputs)
    {
        if (!MergePlan.TryCreate(recipe, inputs, out var plan, out var problems))
            throw new InvalidDataException(string.Join('\n', problems));
        if (!ServingExport.TryCreate(TorchMerge.Run(plan, inputs, MergeResources.AllProcessors), new(BaseModel, TensorType.F32), out var export, out var failures))
            throw new InvalidDataException(string.Join('\n', failures));
        var folder = Directory.CreateTempSubdirectory("marketplace-merit-").FullName;
        written.Add(folder);
        export.Save(folder);
        return AdapterReader.Open(folder);
    }

    /// <summary>The mean of adapters.</summary>
    public static Adapter Mean(IReadOnlyList<Adapter> inputs) => Of(MergeRecipe.Over("linear", [.. inputs.Select(_ => 1.0)]), inputs);

    /// <summary>Signs elected, of each adapter a fifth of its entries kept.</summary>
    public static Adapter Ties(IReadOnlyList<Adapter> inputs) => Of(MergeRecipe.Over("ties", [.. inputs.Select(_ => 1.0)]).With("density", 0.2), inputs);

    /// <summary>An adapter without the mean of general ones.</summary>
    public static Adapter Residual(Adapter expert, IReadOnlyList<Adapter> general, string method = LinearMethods.GenKnowSub) =>
        Of(MergeRecipe.Over(method, [1, .. general.Select(_ => 1.0)]), [expert, .. general]);

    /// <summary>Removes the files of all merges.</summary>
    public static void Clear()
    {
        foreach (var folder in written)
            Directory.Delete(folder, recursive: true);
        written.Clear();
    }
}
