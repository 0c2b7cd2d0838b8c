namespace Marketplace.Core.Formats;

/// <summary>adapter_config.json.</summary>
public sealed record AdapterConfig
{
    /// <summary>Whether the adapted layers store their weight as (in, out), as GPT-2's Conv1D does.</summary>
    public bool FanInFanOut { get; init; }
}
