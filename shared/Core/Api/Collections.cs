using System.Text.Json;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Api;

/// <summary>Where the versions go that one job makes together.</summary>
/// <param name="Collection"><c>owner/name</c> of the collection that will list them; the owner must be the caller's account, and owns the versions too.</param>
/// <param name="Pattern">
/// Name of each result: for subtractions with <c>{name}</c> and <c>{owner}</c> of the target, for cluster builds with <c>{collection}</c> and <c>{cluster}</c>.
/// Absent: <c>{name}-residual</c>, <c>{collection}-{cluster}</c>.
/// </param>
/// <param name="Private">Whether only the owner may see collection and results.</param>
public sealed record CollectionOutputRequest(string Collection, string? Pattern = null, bool Private = false);

/// <summary>
/// POST /api/v1/subtractions/batch: general knowledge subtracted from many targets, each into a version of its own, all in one collection. Exactly one of
/// <paramref name="Targets"/>, <paramref name="Library"/> and <paramref name="Cluster"/> says which.
/// </summary>
/// <param name="General">The general-knowledge adapters.</param>
/// <param name="Output">Where the residuals go.</param>
/// <param name="Targets">The task adapters, one by one: <c>owner/name</c> or <c>owner/name@revision</c>.</param>
/// <param name="Library">A whole library.</param>
/// <param name="Cluster">The members of a cluster.</param>
/// <param name="Mode">exact, project or factorwise; as of <see cref="SubtractionRequest"/>.</param>
/// <param name="Side">Of a projection: input, output or both.</param>
/// <param name="Beta">How much is subtracted.</param>
/// <param name="Rank">Fixed rank of the residuals.</param>
/// <param name="Energy">Instead: the smallest rank that keeps this share of |ΔW|².</param>
/// <param name="Dtype">auto (the widest input type), F32, BF16 or F16.</param>
public sealed record SubtractionBatchRequest(
    IReadOnlyList<WeightedAdapter> General, CollectionOutputRequest Output, IReadOnlyList<string>? Targets = null, LibraryTargets? Library = null,
    ClusterTargets? Cluster = null, string Mode = SubtractionModes.Exact, string? Side = null, double Beta = 1, int? Rank = null, double? Energy = null,
    string Dtype = MergeRecipe.AutoType);

/// <summary>A library's adapters as they are now, without the general ones.</summary>
/// <param name="BaseModel">Whose library.</param>
/// <param name="Scope">public (listed public adapters) or mine (the caller's private ones too).</param>
/// <param name="Derived">Whether adapters that were merged or subtracted take part; otherwise only trained ones do.</param>
public sealed record LibraryTargets(string BaseModel, string Scope = "public", bool Derived = false);

/// <summary>The members of a cluster, without the general adapters.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Name">The cluster's name in it.</param>
public sealed record ClusterTargets(string Snapshot, string Name);

/// <summary>POST /api/v1/clusterings/{id}/build: one merged adapter for each cluster of a snapshot, all in one collection.</summary>
/// <param name="Method">Any merge method.</param>
/// <param name="Output">Where the adapters go.</param>
/// <param name="Parameters">Parameters of the method.</param>
/// <param name="Weights">
/// The members' weights: equal (1 for each), mean (1 ∕ n for each of n, so that methods that add up give the mean) or typical (the cosine to the cluster's
/// medoid, 0 for a negative one). Of no account for methods without weights.
/// </param>
/// <param name="MaxMembers">At most so many members of a cluster go in, those most like the medoid; all if absent.</param>
/// <param name="Rank">How many ranks a result has; the method's own rule if absent.</param>
/// <param name="Energy">Instead: the smallest rank that keeps this share of |ΔW|².</param>
/// <param name="Dtype">auto (the widest input type), F32, BF16 or F16.</param>
/// <param name="Seed">Seed of random masks and starts.</param>
public sealed record BuildLibraryRequest(
    string Method, CollectionOutputRequest Output, IReadOnlyDictionary<string, RecipeValue>? Parameters = null, string Weights = "equal", int? MaxMembers = null,
    RecipeRank? Rank = null, double? Energy = null, string Dtype = MergeRecipe.AutoType, ulong? Seed = null);

/// <summary>Result of a batch of subtractions or of a cluster build.</summary>
/// <param name="Collection"><c>owner/name</c>, at /api/v1/collections.</param>
/// <param name="Members">What was published, in the order asked for.</param>
/// <param name="Refused">What could not be, and why.</param>
/// <param name="General">How much of all targets together was general, where general knowledge was subtracted.</param>
public sealed record CollectionResult(
    string Collection, IReadOnlyList<CollectionResultMember> Members, IReadOnlyList<RefusedMember> Refused, GeneralKnowledge? General = null);

/// <summary>A version that a job made for its collection.</summary>
/// <param name="Label">The target, or the cluster.</param>
/// <param name="Version">The version.</param>
/// <param name="General">The share of the target that was general; see <see cref="GeneralKnowledge.Share"/>.</param>
/// <param name="EnergyRemoved">The share of its energy that was removed; negative where a subtraction added more than it took.</param>
public sealed record CollectionResultMember(string Label, VersionReference Version, double? General = null, double? EnergyRemoved = null);

/// <summary>A target or a cluster of which no version was made.</summary>
/// <param name="Label">The target, or the cluster; a member that a cluster lost.</param>
/// <param name="Code">Stable code, such as those of failed jobs.</param>
/// <param name="Reason">The same in words.</param>
public sealed record RefusedMember(string Label, string Code, string Reason);

/// <summary>Versions that were made together.</summary>
/// <param name="Id"><c>owner/name</c>.</param>
/// <param name="Private">Seen by its owner only.</param>
/// <param name="BaseModel">The base model of all members.</param>
/// <param name="MadeBy">genknowsub or library-build.</param>
/// <param name="CreatedAt">When it was finished.</param>
/// <param name="Members">Its versions, as far as the caller may see them; absent in lists.</param>
/// <param name="JobId">The job that made it; absent for others than its owner.</param>
/// <param name="Request">What was asked, inputs resolved to versions; absent in lists, and where it names what the caller may not see.</param>
public sealed record CollectionView(
    string Id, bool Private, string BaseModel, string MadeBy, DateTimeOffset CreatedAt, IReadOnlyList<CollectionMemberView>? Members = null,
    string? JobId = null, JsonElement? Request = null);

/// <summary>A version in a collection.</summary>
/// <param name="Label">What it stands for: a cluster's name, or its own.</param>
/// <param name="Version">The version.</param>
public sealed record CollectionMemberView(string Label, VersionReference Version);
