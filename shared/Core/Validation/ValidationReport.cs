using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>A file as it was read.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="Size">Its length in bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, 64 hexadecimal digits; null if it was too large to be read.</param>
/// <param name="GitSha1">Git's name for its bytes; null if it was not asked for.</param>
public sealed record FileReport(string Path, long Size, string? Sha256, string? GitSha1);

/// <summary>What the configuration says, in short.</summary>
/// <param name="BaseModel">The base model as the publisher spelled it.</param>
/// <param name="BaseModelName">The same if it names a model; null for paths and other things that do not.</param>
/// <param name="Revision">Revision of the base model.</param>
/// <param name="TaskType">What the model does, such as CAUSAL_LM.</param>
/// <param name="Rank">The common rank.</param>
/// <param name="Alpha">The common alpha.</param>
/// <param name="UseRsLora">Whether the scaling is alpha ∕ √r.</param>
/// <param name="UseDora">Whether it is a DoRA.</param>
/// <param name="TargetModules">The modules named, without repetitions, in ordinal order; a pattern or <c>all-linear</c> as one entry.</param>
/// <param name="ModulesToSave">The modules saved whole, without repetitions, in ordinal order.</param>
public sealed record ConfigReport(
    string? BaseModel, string? BaseModelName, string? Revision, string? TaskType, int Rank, double Alpha, bool UseRsLora, bool UseDora,
    ImmutableArray<string> TargetModules, ImmutableArray<string> ModulesToSave);

/// <summary>One adapted module.</summary>
/// <param name="Name">Its path in the base model.</param>
/// <param name="Kind">How it stores its weight.</param>
/// <param name="Out">Rows of ΔW.</param>
/// <param name="In">Columns of ΔW.</param>
/// <param name="Rank">r.</param>
/// <param name="Scaling">s.</param>
/// <param name="Type">Element type of factor A.</param>
/// <param name="Norm">|ΔW|, the Frobenius norm of s·B·A; null if it was not computed or is not finite.</param>
public sealed record ModuleReport(string Name, ModuleKind Kind, int Out, int In, int Rank, double Scaling, TensorType Type, double? Norm);

/// <summary>What validation found. Findings and figures only: nothing of it is part of a version's identity.</summary>
/// <param name="Issues">Every issue, in the order of the checks.</param>
/// <param name="Files">The files in the order given.</param>
/// <param name="Configuration">What the configuration says; null if it can't be read.</param>
/// <param name="Modules">The modules whose tensors fit together, in ordinal order of their names.</param>
/// <param name="Tensors">Number of tensors in the weights file.</param>
/// <param name="Parameters">Number of elements in the LoRA factors.</param>
public sealed record ValidationReport(
    ImmutableArray<ValidationIssue> Issues, ImmutableArray<FileReport> Files, ConfigReport? Configuration,
    ImmutableArray<ModuleReport> Modules, int Tensors, long Parameters)
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Whether no issue is an error.</summary>
    public bool Accepted => Issues.All(i => i.Severity != IssueSeverity.Error);

    /// <summary>The configuration in full; null if it can't be read, or if the report was read back from JSON.</summary>
    [JsonIgnore]
    public AdapterConfig? Config { get; init; }

    /// <summary>The report with further issues, such as those that only a service can know.</summary>
    public ValidationReport With(params IEnumerable<ValidationIssue> more) => this with { Issues = [.. Issues, .. more] };

    /// <summary>The files as a version's manifest wants them.</summary>
    /// <exception cref="InvalidOperationException">A file was not read, or git's hashes were not asked for.</exception>
    public IEnumerable<ManifestFile> ManifestFiles() => Files.Select(f =>
        f is { Sha256: { } sha256, GitSha1: { } git }
            ? new ManifestFile(f.Path, Digest.Parse(sha256), f.Size, git)
            : throw new InvalidOperationException($"'{f.Path}' was not hashed."));

    /// <summary>JSON with camel-case names; nulls are left out.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Options);

    /// <summary>Reads a report back, all but <see cref="Config"/>.</summary>
    /// <exception cref="JsonException">The text is not a report.</exception>
    public static ValidationReport FromJson(string json) =>
        JsonSerializer.Deserialize<ValidationReport>(json, Options) ?? throw new JsonException("A report can't be null.");
}
