using System.Text.Json;
using System.Text.Json.Serialization;

namespace Marketplace.Train;

/// <summary>Everything that the outcome depends on beside the code.</summary>
internal sealed record Settings
{
    private static readonly JsonSerializerOptions reading = new() { PropertyNameCaseInsensitive = true, NumberHandling = JsonNumberHandling.AllowReadingFromString };

    /// <summary>Chooses languages and questions.</summary>
    public ulong World { get; init; } = 1;

    /// <summary>Chooses the first weights of the base model and what it reads.</summary>
    public ulong BaseSeed { get; init; } = 1;

    /// <summary>Width of the base model.</summary>
    public int Hidden { get; init; } = 96;

    /// <summary>Its layers.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>Its heads, for keys and values too.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>How long it is trained.</summary>
    public int BaseSteps { get; init; } = 3000;

    /// <summary>Texts in each of its batches.</summary>
    public int BaseRows { get; init; } = 64;

    /// <summary>Its highest learning rate.</summary>
    public double BaseRate { get; init; } = 3e-3;

    /// <summary>r of every adapter; alpha is twice that.</summary>
    public int Rank { get; init; } = 4;

    /// <summary>How long an adapter is trained.</summary>
    public int Steps { get; init; } = 150;

    /// <summary>Texts in each of its batches.</summary>
    public int Rows { get; init; } = 32;

    /// <summary>Its highest learning rate. Five times this leaves more noise in ΔW, and Arrow with less to go by.</summary>
    public double Rate { get; init; } = 1e-3;

    /// <summary>How much a symbol of text counts beside one of an answer.</summary>
    public float TextWeight { get; init; } = 0.1f;

    /// <summary>Libraries, each from a seed of its own.</summary>
    public int Seeds { get; init; } = 3;

    /// <summary>Questions on each task that has no adapter.</summary>
    public int Items { get; init; } = 200;

    /// <summary>Questions on each task that has an adapter.</summary>
    public int LibraryItems { get; init; } = 50;

    /// <summary>The settings, some of them given by name.</summary>
    public static Settings Of(IReadOnlyDictionary<string, string> given) =>
        JsonSerializer.Deserialize<Settings>(JsonSerializer.Serialize(given), reading)!;
}
