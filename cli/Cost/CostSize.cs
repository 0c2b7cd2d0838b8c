using System.Globalization;
using System.Text.Json;
using Marketplace.Cli.Commands;

namespace Marketplace.Cli.Cost;

/// <summary>How much a deployment is used: what the lines of <see cref="CostModel"/> count with. Per day where the name says so, else per month or for each.</summary>
internal sealed class CostSize
{
    /// <summary>Every number that a size has.</summary>
    public static readonly IReadOnlyList<string> Names =
    [
        "adapters", "versionsPerAdapter", "adapterMegabytes", "uploadsPerDay", "downloadsPerDay", "requestsPerDay", "mergesPerDay", "mergeSeconds",
        "evaluationsPerDay", "evaluationSeconds", "functionJobsPerDay", "functionJobSeconds", "requestSeconds", "validationSeconds", "functionsGigabytes", "readyInstances",
        "kernelStartsPerDay", "kernelStartSeconds", "kernelCooldownSeconds", "kernelVcpus", "kernelGibibytes", "kernelGpus", "queuePollsPerSecond", "logGigabytes", "alertRules",
    ];

    private readonly Dictionary<string, double> values;

    private CostSize(string name, Dictionary<string, double> values) => (Name, this.values) = (name, values);

    /// <summary>What it is called.</summary>
    public string Name { get; }

    /// <summary>A number of it.</summary>
    public double this[string name] => values[name];

    /// <summary>All numbers, for output.</summary>
    public IReadOnlyDictionary<string, double> Values => values;

    /// <summary>Reads sizes by name.</summary>
    public static IReadOnlyList<CostSize> Read(string json, string file)
    {
        Dictionary<string, Dictionary<string, double>>? sizes;
        try
        {
            sizes = JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, double>>>(json);
        }
        catch (JsonException e)
        {
            throw Refuse(file, e.Message);
        }

        foreach (var (name, values) in sizes ?? [])
        {
            if (values.Keys.Except(Names).FirstOrDefault() is { } unknown)
                throw Refuse(file, $"'{name}' has a number '{unknown}', which no line counts with.{Near(unknown)}");
            if (Names.Except(values.Keys).FirstOrDefault() is { } missing)
                throw Refuse(file, $"'{name}' lacks the number '{missing}'.");
            if (values.FirstOrDefault(v => !double.IsFinite(v.Value) || v.Value < 0) is { Key: { } wrong })
                throw Refuse(file, $"'{wrong}' of '{name}' is no number from 0 on.");
        }

        return [.. (sizes ?? []).Select(s => new CostSize(s.Key, s.Value))];
    }

    /// <summary>The same with some numbers changed, each as <c>name=value</c>.</summary>
    public CostSize With(IEnumerable<string> changes)
    {
        var changed = new Dictionary<string, double>(values);
        foreach (var change in changes)
        {
            var parts = change.Split('=', 2);
            if (parts.Length != 2 || !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value) || value < 0)
                throw CliException.Usage($"'{change}' is not of the form name=number, from 0 on.");
            if (!Names.Contains(parts[0]))
                throw CliException.Usage($"A size has no number '{parts[0]}'.{Near(parts[0])}", $"It has: {string.Join(", ", Names)}.");
            changed[parts[0]] = value;
        }

        return new(Name, changed);
    }

    private static string Near(string name) => Suggestions.Nearest(name, Names) is { } near ? $" Did you mean '{near}'?" : "";

    private static CliException Refuse(string file, string message) => new("sizes-invalid", ExitCode.Refused, $"{file}: {message}");
}
