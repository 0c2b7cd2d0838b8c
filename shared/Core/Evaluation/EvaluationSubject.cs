using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// What is evaluated: a base model by itself or with adapters, in one of the ways that adapters can take part. Says nothing of the base model, which stands
/// beside it. Its canonical JSON names every adapter version by number and id, so that equal subjects have one digest.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(BaseSubject), BaseSubject.Name)]
[JsonDerivedType(typeof(AdapterSubject), AdapterSubject.Name)]
[JsonDerivedType(typeof(RecipeSubject), RecipeSubject.Name)]
[JsonDerivedType(typeof(WeightedSubject), WeightedSubject.Name)]
[JsonDerivedType(typeof(ArrowSubject), ArrowSubject.Name)]
[JsonDerivedType(typeof(MixtureSubject), MixtureSubject.Name)]
public abstract record EvaluationSubject
{
    /// <summary>Deepest nesting of mixtures.</summary>
    public const int MaxDepth = 3;

    /// <summary>Most adapters of a subject.</summary>
    public const int MaxAdapters = 1024;

    /// <summary>The word for the way adapters take part.</summary>
    [JsonIgnore]
    public string Kind => this switch
    {
        BaseSubject => BaseSubject.Name,
        AdapterSubject => AdapterSubject.Name,
        RecipeSubject => RecipeSubject.Name,
        WeightedSubject => WeightedSubject.Name,
        ArrowSubject => ArrowSubject.Name,
        MixtureSubject => MixtureSubject.Name,
        _ => throw new InvalidOperationException("A subject of no known kind."),
    };

    /// <summary>Every adapter that the subject names, in order; one that is named twice comes twice.</summary>
    [JsonIgnore]
    public abstract IEnumerable<SubjectAdapter> Adapters { get; }

    /// <summary>A line for people, such as <c>arrow of alice/one@1, alice/two@3</c>.</summary>
    [JsonIgnore]
    public abstract string Label { get; }

    /// <summary>The same with every adapter replaced, and in canonical form: order where it does not matter, defaults said.</summary>
    /// <param name="resolve">Gives the version that a name stands for.</param>
    public abstract EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve);

    /// <summary>Why this can't be evaluated, with the place; null if it can be. Says nothing about whether the adapters exist.</summary>
    public virtual (string Place, string Message)? Check() => null;

    /// <summary>The JSON; canonical if the subject is.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>SHA-256 of the canonical JSON; only of a subject that <see cref="Canonical"/> gave.</summary>
    [JsonIgnore]
    public Digest Digest => Digest.Of(Encoding.UTF8.GetBytes(ToJson()));

    /// <summary>Reads a subject that <see cref="ToJson"/> wrote.</summary>
    public static EvaluationSubject Parse(string json) => JsonSerializer.Deserialize<EvaluationSubject>(json, ApiJson.Options)!;

    /// <summary>Why these adapters can't be a subject's, or null.</summary>
    private protected static (string Place, string Message)? CheckCount(int count, string place) =>
        count is >= 1 and <= MaxAdapters ? null : (place, $"1 to {MaxAdapters} adapters take part; here are {count}.");

    private protected static (string Place, string Message)? Require(bool fine, string place, string message) => fine ? null : (place, message);

    private protected static string List(IEnumerable<string> names, int most = 4)
    {
        var all = names.ToList();
        return string.Join(", ", all.Take(most)) + (all.Count > most ? $" and {all.Count - most} more" : "");
    }
}

/// <summary>An adapter version as a subject names it.</summary>
/// <param name="Adapter"><c>owner/name@number</c> once resolved; in a request <c>owner/name</c> or <c>owner/name@revision</c>.</param>
/// <param name="VersionId">The version's id; absent in requests.</param>
public sealed record SubjectAdapter(string Adapter, string? VersionId = null)
{
    /// <summary>The adapter's name, without the revision.</summary>
    [JsonIgnore]
    public AdapterId Id => AdapterId.Parse(Adapter.Split('@')[0]);

    /// <summary>A resolved version.</summary>
    public static SubjectAdapter Of(AdapterId adapter, int number, string versionId) => new($"{adapter}@{number}", versionId);
}

/// <summary>An adapter version with a factor of its ΔW.</summary>
/// <param name="Adapter">As of <see cref="SubjectAdapter"/>.</param>
/// <param name="Weight">The factor.</param>
/// <param name="VersionId">The version's id; absent in requests.</param>
public sealed record WeightedSubjectAdapter(string Adapter, double Weight = 1, string? VersionId = null)
{
    /// <summary>Without the weight.</summary>
    [JsonIgnore]
    public SubjectAdapter Version => new(Adapter, VersionId);
}

/// <summary>The base model as it is.</summary>
public sealed record BaseSubject : EvaluationSubject
{
    internal const string Name = "base";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<SubjectAdapter> Adapters => [];

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Label => "base model";

    /// <inheritdoc/>
    public override EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve) => this;
}

/// <summary>One adapter version.</summary>
/// <param name="Adapter">As of <see cref="SubjectAdapter"/>.</param>
/// <param name="VersionId">The version's id; absent in requests.</param>
public sealed record AdapterSubject(string Adapter, string? VersionId = null) : EvaluationSubject
{
    internal const string Name = "adapter";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<SubjectAdapter> Adapters => [new(Adapter, VersionId)];

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Label => Adapter;

    /// <inheritdoc/>
    public override EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve) =>
        resolve(new(Adapter, VersionId)) is var version ? new AdapterSubject(version.Adapter, version.VersionId) : this;
}

/// <summary>What a recipe makes, without being published.</summary>
/// <param name="Recipe">The recipe, without output; it must be one that <see cref="MergeGraph.Create"/> finds nothing wrong with.</param>
/// <param name="Versions">The versions that it names, each once, in ordinal order; absent in requests.</param>
public sealed record RecipeSubject(MergeRecipe Recipe, IReadOnlyList<SubjectAdapter>? Versions = null) : EvaluationSubject
{
    internal const string Name = "recipe";

    /// <inheritdoc/>
    [JsonIgnore]
    public override IEnumerable<SubjectAdapter> Adapters => Versions ?? RecipeForm.Mentions(Recipe).Select(m => new SubjectAdapter(m.Adapter));

    /// <inheritdoc/>
    [JsonIgnore]
    public override string Label => $"{Recipe.Method} of {List(RecipeForm.Mentions(Recipe).Select(m => m.Adapter))}";

    /// <inheritdoc/>
    public override EvaluationSubject Canonical(Func<SubjectAdapter, SubjectAdapter> resolve)
    {
        var versions = RecipeForm.Mentions(Recipe).Select(m => m.Adapter).Distinct(StringComparer.Ordinal).ToDictionary(a => a, a => resolve(new(a)), StringComparer.Ordinal);
        var recipe = RecipeForm.Canonical(Recipe, name => versions[name].Adapter) with { Output = null, Notes = null };
        return new RecipeSubject(recipe, [.. versions.Values.Distinct().OrderBy(v => v.Adapter, StringComparer.Ordinal)]);
    }
}
