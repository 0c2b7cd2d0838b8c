using System.Text.Json;
using Marketplace.Core.Formats;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Tokenizers;
using Marketplace.Storage.Jobs;

namespace Marketplace.Kernels.Evaluation;

/// <summary>A base model with its tokenizer, opened once for all that a job scores.</summary>
internal sealed class OpenedModel : IDisposable
{
    private OpenedModel(LanguageModel model, Tokenizer tokenizer, IReadOnlySet<int> ends) => (Model, Tokenizer, Ends) = (model, tokenizer, ends);

    public LanguageModel Model { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>Tokens that end what is written: the tokenizer's, and those of the configuration.</summary>
    public IReadOnlySet<int> Ends { get; }

    /// <summary>Opens what lies in a folder.</summary>
    /// <exception cref="JobFailureException">It can't be computed with.</exception>
    public static OpenedModel Open(string baseModel, string folder, KernelDevice device)
    {
        if (!File.Exists(Path.Combine(folder, BaseModelManifest.Tokenizer)))
            throw new JobFailureException(BaseModelInspection.TokenizerMissing, $"The files of '{baseModel}' have no {BaseModelManifest.Tokenizer}.");
        if (!Tokenizer.TryLoad(folder, out var tokenizer, out var problems))
            throw new JobFailureException("tokenizer-unsupported", $"The tokenizer of '{baseModel}' can't be used. {string.Join(' ', problems.Take(3).Select(p => $"[{p.Code}] {p.Message}"))}");
        if (!LanguageModel.TryOpen(folder, device, out var model, out var found))
        {
            var code = found.Any(p => p.Code == WeightsProblem.ArchitectureUnknown) ? WeightsProblem.ArchitectureUnknown : "base-weights-invalid";
            throw new JobFailureException(code, $"The files of '{baseModel}' can't be computed with. {string.Join(' ', found.Take(3).Select(p => $"[{p.Code}] {p.Message}"))}");
        }

        return new(model, tokenizer, new HashSet<int>([.. tokenizer.EndId is { } end ? [end] : Array.Empty<int>(), .. Configured(folder)]));
    }

    /// <inheritdoc/>
    public void Dispose() => Model.Dispose();

    // eos_token_id of config.json: a number or several.
    private static IEnumerable<int> Configured(string folder)
    {
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, BaseModelManifest.Config)));
        if (!config.RootElement.TryGetProperty("eos_token_id", out var ends))
            return [];
        return ends.ValueKind == JsonValueKind.Array
            ? [.. ends.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out _)).Select(e => e.GetInt32())]
            : ends.ValueKind == JsonValueKind.Number && ends.TryGetInt32(out var end) ? [end] : [];
    }
}
