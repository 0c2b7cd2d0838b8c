using Marketplace.Core.Methods;

namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/base-models/subspaces: input subspaces for an adapter that is to be trained, orthogonal to those of all others of its base model.</summary>
/// <param name="Adapter">The adapter, <c>owner/name</c>; it need not exist yet. Asked again for the same module, it has the same subspace.</param>
/// <param name="BaseModel">The base model, in any spelling that the caller's adapters may use.</param>
/// <param name="Rank">The adapter's rank: how many vectors it gets for each module.</param>
/// <param name="Modules">The modules that it will adapt.</param>
public sealed record AllocateSubspacesRequest(string Adapter, string BaseModel, int Rank, IReadOnlyList<SubspaceModule> Modules);

/// <summary>A module to be adapted.</summary>
/// <param name="Name">Its full path in the base model.</param>
/// <param name="In">Its input size.</param>
public sealed record SubspaceModule(string Name, int In);

/// <summary>What an adapter may use.</summary>
/// <param name="Adapter">The adapter.</param>
/// <param name="BaseModel">The base model by its canonical id.</param>
/// <param name="Subspaces">One for each module, in the order asked for; <see cref="Subspace.LoraA"/> makes the factor.</param>
public sealed record AllocateSubspacesResponse(string Adapter, string BaseModel, IReadOnlyList<Subspace> Subspaces);
