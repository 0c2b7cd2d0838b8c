using System.Globalization;
using Microsoft.Extensions.Configuration;
using OpenTelemetry.Trace;

namespace Marketplace.Storage.Telemetry;

/// <summary>
/// Which traces are kept, by the variables of OpenTelemetry's specification. The exporter for Azure Monitor would otherwise bring a sampler of its own, five traces a second, and the
/// variables would say nothing.
/// </summary>
internal static class TraceSampling
{
    public const string Setting = "OTEL_TRACES_SAMPLER";

    /// <summary>The sampler that the settings name; null for names of the exporter's own (<c>microsoft.…</c>), which it reads itself.</summary>
    /// <exception cref="InvalidOperationException">There is no such sampler, or its argument is no share.</exception>
    public static Sampler? Of(IConfiguration configuration)
    {
        var name = configuration[Setting] is { Length: > 0 } set ? set.Trim().ToLowerInvariant() : "parentbased_always_on";
        if (name.StartsWith("microsoft.", StringComparison.Ordinal))
            return null;
        const string Parent = "parentbased_";
        var rooted = name.StartsWith(Parent, StringComparison.Ordinal);
        Sampler sampler = (rooted ? name[Parent.Length..] : name) switch
        {
            "always_on" => new AlwaysOnSampler(),
            "always_off" => new AlwaysOffSampler(),
            "traceidratio" => new TraceIdRatioBasedSampler(Share(configuration[Setting + "_ARG"])),
            _ => throw new InvalidOperationException(
                $"{Setting} is always_on, always_off, traceidratio, one of these after parentbased_, or a sampler of Azure Monitor (microsoft.…), not '{name}'."),
        };
        return rooted ? new ParentBasedSampler(sampler) : sampler;
    }

    private static double Share(string? text) =>
        text is not { Length: > 0 } ? 1
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var share) && share is >= 0 and <= 1 ? share
        : throw new InvalidOperationException($"{Setting}_ARG is a share from 0 to 1, not '{text}'.");
}
