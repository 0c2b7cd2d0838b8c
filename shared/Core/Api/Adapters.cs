using Marketplace.Core.Methods;

namespace Marketplace.Core.Api;

/// <summary>A part of a list.</summary>
/// <typeparam name="T">What is listed.</typeparam>
/// <param name="Items">The entries.</param>
/// <param name="Continuation">Give this back as <c>continuation</c> for the next part; absent at the end.</param>
public sealed record ListResponse<T>(IReadOnlyList<T> Items, string? Continuation = null);

/// <summary>Names an adapter version.</summary>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="Number">1 for the first version.</param>
/// <param name="Id">40 hexadecimal digits over the manifest.</param>
public sealed record VersionReference(string Adapter, int Number, string Id);

/// <summary>An adapter in a list.</summary>
/// <param name="Id"><c>owner/name</c>.</param>
/// <param name="Private">Seen by its owner only.</param>
/// <param name="Listed">False once unlisted: hidden from lists, still downloadable.</param>
/// <param name="BaseModelName">The base model as the publisher spelled it.</param>
/// <param name="BaseModel">The base model it counts as; absent while the name is unresolved, and then it is in no library.</param>
/// <param name="Main">The current version.</param>
/// <param name="Rank">Largest rank of a module.</param>
/// <param name="Modules">Number of target modules.</param>
/// <param name="Dtype">Type of the stored factors.</param>
/// <param name="SizeBytes">Bytes of all files of the current version.</param>
/// <param name="Warnings">Codes of the current version's warnings.</param>
/// <param name="License">From the model card.</param>
/// <param name="Tags">From the model card.</param>
/// <param name="DerivedBy">The method that made it; absent for a trained adapter.</param>
/// <param name="CreatedAt">First publication.</param>
/// <param name="UpdatedAt">Latest change.</param>
/// <param name="TaintedBy">What was taken down among the adapters that the current version was made from, as far as the caller may be told; not in lists.</param>
/// <param name="Takedown">That it is down; only in lists that were asked for such adapters.</param>
/// <param name="Languages">Languages, as its model card says; absent if it names none.</param>
/// <param name="Datasets">Datasets it was trained on, as its model card says.</param>
/// <param name="PipelineTag">The task, in the Hub's words, as its model card says.</param>
public sealed record AdapterView(
    string Id, bool Private, bool Listed, string BaseModelName, string? BaseModel, VersionReference? Main,
    int Rank, int Modules, string Dtype, long SizeBytes, IReadOnlyList<string> Warnings, string? License,
    IReadOnlyList<string> Tags, string? DerivedBy, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, IReadOnlyList<TaintView>? TaintedBy = null, TakedownView? Takedown = null,
    IReadOnlyList<string>? Languages = null, IReadOnlyList<string>? Datasets = null, string? PipelineTag = null);

/// <summary>PATCH /api/v1/adapters/{owner}/{name}.</summary>
/// <param name="Listed">False unlists, true lists again.</param>
public sealed record UpdateAdapterRequest(bool? Listed = null);

/// <summary>An adapter version.</summary>
/// <param name="Adapter"><c>owner/name</c>.</param>
/// <param name="Number">1 for the first version.</param>
/// <param name="Id">40 hexadecimal digits over the manifest.</param>
/// <param name="Parent">Id of the version before.</param>
/// <param name="CreatedAt">When it was published.</param>
/// <param name="PublishedBy">Account that published it.</param>
/// <param name="Message">The publisher's line about it.</param>
/// <param name="Files">Its files.</param>
/// <param name="Lineage">How it was derived; absent for a trained adapter.</param>
/// <param name="TaintedBy">What was taken down among the adapters that it was made from, as far as the caller may be told.</param>
/// <param name="Serving">Where it can be served (docs/serving.md); absent of versions that were published before this was looked at.</param>
public sealed record VersionView(
    string Adapter, int Number, string Id, string? Parent, DateTimeOffset CreatedAt, string PublishedBy, string? Message,
    IReadOnlyList<FileView> Files, LineageView? Lineage, IReadOnlyList<TaintView>? TaintedBy = null, ServingCheck? Serving = null);

/// <summary>A file of a version.</summary>
/// <param name="Path">Path within the adapter.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Digest of the bytes.</param>
/// <param name="GitSha1">What git calls the same bytes.</param>
public sealed record FileView(string Path, long Size, string Sha256, string GitSha1);

/// <summary>An adapter version at a smaller rank: every module is its best approximation of that rank, in the serving profile.</summary>
/// <param name="Version">The version it was made from.</param>
/// <param name="Rank">The rank that the files have.</param>
/// <param name="StoredRank">The largest rank of a module of the version itself.</param>
/// <param name="Truncated">False where the rank asked for is not smaller: then the files are those of the version.</param>
/// <param name="DiscardedEnergy">The share of |ΔW|², over all modules, that was cut off.</param>
/// <param name="Files">Configuration and weights.</param>
/// <param name="Modules">What became of each module; empty where nothing was truncated.</param>
public sealed record RankView(
    VersionReference Version, int Rank, int StoredRank, bool Truncated, double DiscardedEnergy, IReadOnlyList<FileView> Files, IReadOnlyList<RankModuleView> Modules);

/// <summary>A module at a smaller rank.</summary>
/// <param name="Module">Its name.</param>
/// <param name="Rank">Ranks that are left and not zero.</param>
/// <param name="DiscardedEnergy">The share of the module's |ΔW|² that was cut off.</param>
public sealed record RankModuleView(string Module, int Rank, double DiscardedEnergy);

/// <summary>Parents and method of a derived version.</summary>
/// <param name="Method">Merge method, or <c>genknowsub</c>.</param>
/// <param name="Parents">The versions it was made from, as far as the caller may see them.</param>
/// <param name="Recipe">The canonical recipe as JSON text; absent when it names adapters the caller may not see.</param>
/// <param name="Kernel">Version, device kind and instruction set of the kernels that computed it.</param>
public sealed record LineageView(string Method, IReadOnlyList<LineageParentView> Parents, string? Recipe, string? Kernel);

/// <summary>One parent.</summary>
/// <param name="Version">The version that went in.</param>
/// <param name="Weight">With this weight.</param>
/// <param name="Role">input, target or general; <c>input of METHOD</c> for one of a nested recipe.</param>
/// <param name="TakenDown">Whether its adapter is down.</param>
public sealed record LineageParentView(VersionReference Version, double Weight, string Role, bool TakenDown = false);

/// <summary>A neighbour of an adapter within its library; both numbers are exact.</summary>
/// <param name="Version">The neighbour.</param>
/// <param name="Cosine">Cosine of ΔW over all modules, or of the sparsified factors where those were asked for, −1 to 1.</param>
/// <param name="RelativeDistance">|ΔW₁ − ΔW₂| ∕ |ΔW₁|; near 0 for a re-upload.</param>
public sealed record SimilarView(VersionReference Version, double Cosine, double RelativeDistance);

/// <summary>What an adapter adds to its library.</summary>
/// <param name="Version">The adapter.</param>
/// <param name="Verdict"><c>reuse</c> where the nearest member's cosine reaches the threshold, else <c>add</c>; <c>none</c> where the adapter changes nothing.</param>
/// <param name="Threshold">The cosine from which on a member is as good.</param>
/// <param name="Nearest">The nearest member, exact; absent where there is none to compare with.</param>
/// <param name="Novelty">The share of |ΔW|² outside the span of the nearest members, from sketches.</param>
/// <param name="NoiseFloor">The cosine below which sketches do not tell a member from chance: a smaller one counts as unrelated.</param>
/// <param name="SpannedBy">How many members the span has.</param>
/// <param name="Compared">How many members were looked at.</param>
public sealed record NoveltyView(
    VersionReference Version, string Verdict, double Threshold, SimilarView? Nearest, double Novelty, double NoiseFloor, int SpannedBy, int Compared);
