using System.Collections.Immutable;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;

namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/routers: an Arrow router for a set of adapters of one base model.</summary>
/// <param name="Adapters"><c>owner/name</c> or <c>owner/name@revision</c>, in the order of the router's rows.</param>
/// <param name="Collection">Instead: the members of a collection, <c>owner/name</c>, that the caller may see.</param>
/// <param name="General">General adapters, whose weighted mean is subtracted from each adapter before its prototypes are computed.</param>
/// <param name="Beta">How much of that mean.</param>
/// <param name="Mode">exact (of ΔW) or factorwise (of A and of B, as PEFT).</param>
/// <param name="Tie">Modules that share their input and are routed jointly: lists of the last parts of their names.</param>
/// <param name="TopK">How many adapters share a token; 4 if absent, or 3 after a subtraction.</param>
/// <param name="Temperature">Divides the logits; smaller is sharper.</param>
/// <param name="Combination">mergeAfter or mergeBefore: what the router is meant for; prototypes and coefficients are the same.</param>
/// <param name="UnitInputs">Whether tokens are divided by their norm.</param>
/// <param name="Private">Whether only the owner may see it; otherwise everybody may who sees all its adapters.</param>
/// <param name="Name">A line that says what it is for.</param>
public sealed record RouterRequest(
    IReadOnlyList<string>? Adapters = null, string? Collection = null, IReadOnlyList<WeightedAdapter>? General = null, double Beta = 1, string Mode = "exact",
    IReadOnlyList<IReadOnlyList<string>>? Tie = null, int? TopK = null, double Temperature = 1, string Combination = "mergeAfter", bool UnitInputs = false,
    bool Private = false, string? Name = null);

/// <summary>Result of a router's export.</summary>
/// <param name="RouterId">The router, at /api/v1/routers/{id}.</param>
/// <param name="Modules">Rows of coefficients for each token.</param>
/// <param name="Degenerate">Prototypes that are arbitrary within a plane.</param>
public sealed record RouterResult(string RouterId, int Modules, int Degenerate);

/// <summary>A router.</summary>
/// <param name="Id">Names it.</param>
/// <param name="Name">What it is for, in its owner's words.</param>
/// <param name="Owner">The account that asked for it.</param>
/// <param name="Private">Whether only the owner may see it.</param>
/// <param name="BaseModel">The base model of all its adapters.</param>
/// <param name="Experts">The versions, in the order of the rows.</param>
/// <param name="General">The general adapters that were subtracted.</param>
/// <param name="Beta">How much was subtracted.</param>
/// <param name="Mode">From what.</param>
/// <param name="TopK">How many adapters share a token.</param>
/// <param name="Temperature">Divides the logits.</param>
/// <param name="Combination">mergeAfter or mergeBefore.</param>
/// <param name="UnitInputs">Whether tokens are divided by their norm.</param>
/// <param name="Modules">Modules that are routed.</param>
/// <param name="Rows">Rows of coefficients for each token: fewer than modules where some are tied.</param>
/// <param name="Missing">Places where an adapter lacks what is routed.</param>
/// <param name="Zero">Places where an adapter's ΔW is zero.</param>
/// <param name="Degenerate">Places where the two largest singular values are so close that the prototype is arbitrary within a plane.</param>
/// <param name="LeftOut">Modules that are not routed, and why.</param>
/// <param name="Files">prototypes.safetensors and router.json.</param>
/// <param name="CreatedAt">When it was asked for.</param>
public sealed record RouterView(
    string Id, string? Name, string Owner, bool Private, string BaseModel, IReadOnlyList<VersionReference> Experts, IReadOnlyList<WeightedVersion> General,
    double Beta, string Mode, int TopK, double Temperature, string Combination, bool UnitInputs, int Modules, int Rows, int Missing, int Zero, int Degenerate,
    IReadOnlyList<RouterLeftOut> LeftOut, IReadOnlyList<RouterFileView> Files, DateTimeOffset CreatedAt);

/// <summary>A version with a weight.</summary>
/// <param name="Version">The version.</param>
/// <param name="Weight">Its weight.</param>
public sealed record WeightedVersion(VersionReference Version, double Weight);

/// <summary>A file of a router.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Digest of the bytes.</param>
public sealed record RouterFileView(string Name, long Size, string Sha256);

/// <summary>POST /api/v1/routers/{id}/route as JSON; exactly one of the two.</summary>
/// <param name="Inputs">Hidden states by module: a list of tokens, each a list of numbers.</param>
/// <param name="Logits">Instead: the products of tokens and prototypes, one for each adapter; signs do not matter.</param>
public sealed record RouteRequest(
    IReadOnlyDictionary<string, IReadOnlyList<IReadOnlyList<double>>>? Inputs = null, IReadOnlyDictionary<string, IReadOnlyList<IReadOnlyList<double>>>? Logits = null);

/// <summary>Who takes the tokens.</summary>
/// <param name="RouterId">The router.</param>
/// <param name="TopK">How many adapters shared a token.</param>
/// <param name="Temperature">What divided the logits.</param>
/// <param name="Experts">The adapters that indices count, as <c>owner/name@number</c>.</param>
/// <param name="Modules">Each module that was asked about.</param>
/// <param name="Recipe">The means as weights of a merge, to be completed by an output; only with <c>average=true</c>.</param>
public sealed record RouteView(
    string RouterId, int TopK, double Temperature, IReadOnlyList<string> Experts, IReadOnlyList<RoutedModuleView> Modules, RouteRecipe? Recipe = null);

/// <summary>A recipe that lacks nothing but its output.</summary>
/// <param name="Method">The merge method.</param>
/// <param name="Inputs">Its inputs.</param>
public sealed record RouteRecipe(string Method, IReadOnlyList<RouteRecipeInput> Inputs);

/// <summary>An input of such a recipe.</summary>
/// <param name="Adapter"><c>owner/name@number</c>.</param>
/// <param name="Weight">Its mean coefficient at each routed module, and 0 elsewhere.</param>
public sealed record RouteRecipeInput(string Adapter, RecipeValue Weight);

/// <summary>The tokens of one module.</summary>
/// <param name="Module">As it was asked about.</param>
/// <param name="Members">All modules that share its coefficients.</param>
/// <param name="Tokens">How many tokens.</param>
/// <param name="Indices">Per token the adapters, the largest logit first; absent with <c>average=true</c>.</param>
/// <param name="Coefficients">Per token what they take part with; absent with <c>average=true</c>.</param>
/// <param name="Mean">Per adapter the mean coefficient over the tokens; only with <c>average=true</c>.</param>
public sealed record RoutedModuleView(
    string Module, ImmutableArray<string> Members, int Tokens, IReadOnlyList<int[]>? Indices = null, IReadOnlyList<double[]>? Coefficients = null, double[]? Mean = null);
