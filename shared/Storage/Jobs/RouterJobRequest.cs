using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Methods;

namespace Marketplace.Storage.Jobs;

/// <summary>The canonical form of a router's export: equal requests have equal texts.</summary>
/// <param name="BaseModel">The one base model of all adapters.</param>
/// <param name="Experts">The versions to route among, in the order of the rows.</param>
/// <param name="General">The versions whose weighted mean is subtracted; empty for none.</param>
/// <param name="Beta">How much of it.</param>
/// <param name="Mode">From what.</param>
/// <param name="Ties">Lists of the last parts of names of modules that are routed jointly.</param>
/// <param name="TopK">How many adapters share a token.</param>
/// <param name="Temperature">Divides the logits.</param>
/// <param name="Combination">How outputs become one.</param>
/// <param name="UnitInputs">Whether tokens are divided by their norm.</param>
/// <param name="Private">Whether only the owner may see the router.</param>
/// <param name="Name">What it is for.</param>
public sealed record RouterJobRequest(
    string BaseModel, ImmutableArray<ResolvedInput> Experts, ImmutableArray<ResolvedInput> General, double Beta, RouterSubtractionMode Mode,
    ImmutableArray<ImmutableArray<string>> Ties, int TopK, double Temperature, RouterCombination Combination, bool UnitInputs, bool Private, string? Name)
{
    /// <summary>The canonical text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ApiJson.Options);

    /// <summary>Reads a canonical text.</summary>
    public static RouterJobRequest Parse(string json) => JsonSerializer.Deserialize<RouterJobRequest>(json, ApiJson.Options)!;
}
