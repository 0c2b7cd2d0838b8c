using Marketplace.Core;

namespace Marketplace.Storage.Jobs;

/// <summary>Where the weights of base models are mounted: <c>PATH/owner/name/</c> holds a model as transformers writes it. Setting <c>Marketplace:Kernels:BaseWeights</c>.</summary>
/// <param name="Path">The folder; null where there is none.</param>
public sealed record BaseWeightsFolder(string? Path)
{
    /// <summary>The folder of a base model's weights, or null.</summary>
    public string? Find(string baseModel) =>
        !string.IsNullOrEmpty(Path) && BaseModelName.TryParse(baseModel, out var name) // so that no name leads out of the folder
        && System.IO.Path.Combine([Path, .. name.Text.Split('/')]) is var folder && Directory.Exists(folder)
            ? folder
            : null;
}
