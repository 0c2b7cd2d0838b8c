using System.Text.Json;
using System.Text.Json.Serialization;

namespace Marketplace.Train;

/// <summary>Everything that the outcome depends on beside the code.</summary>
internal sealed record Settings
{
    public ulong World { get; init; } = 1;

    public ulong BaseSeed { get; init; } = 1;

    public int Hidden { get; init; } = 96;

    public int Layers { get; init; } = 4;

    public int Heads { get; init; } = 4;

    public int BaseSteps { get; init; } = 3000;

    public int BaseRows { get; init; } = 64;

    public double BaseRate { get; init; } = 3e-3;

    /// <summary>r of every adapter; alpha is twice that.</summary>
    public int Rank { get; init; } = 4;

    public int Steps { get; init; } = 150;

    public int Rows { get; init; } = 32;

    public double Rate { get; init; } = 5e-3;

    public double Epsilon { get; init; } = 1e-8;

    /// <summary>How much a symbol of text counts beside one of an answer.</summary>
    public float TextWeight { get; init; } = 0.2f;

    /// <summary>Libraries, each from a seed of its own.</summary>
    public int Seeds { get; init; } = 3;

    public int Items { get; init; } = 200;

    /// <summary>Questions on each task that has an adapter.</summary>
    public int LibraryItems { get; init; } = 50;

    /// <summary>The settings, some of them given by name.</summary>
    public static Settings Of(IReadOnlyDictionary<string, string> given) =>
        JsonSerializer.Deserialize<Settings>(JsonSerializer.Serialize(given), reading)!;

    private static readonly JsonSerializerOptions reading = new() { PropertyNameCaseInsensitive = true, NumberHandling = JsonNumberHandling.AllowReadingFromString };
}
