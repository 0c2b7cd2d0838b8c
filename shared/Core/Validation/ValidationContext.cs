using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>What the checks look at: everything is there once, null where the files do not give it. The checks only add issues.</summary>
internal sealed class ValidationContext
{
    private readonly List<ValidationIssue> issues = [];
    private readonly Dictionary<string, int> counts = new(StringComparer.Ordinal);

    public ValidationContext(ImmutableArray<FileScan> files, ValidationLimits limits, int fileCount)
    {
        (Files, Limits, FileCount) = (files, limits, fileCount);
        ConfigFile = files.FirstOrDefault(f => f.Path == RepositoryPath.Config);
        WeightsFile = files.FirstOrDefault(f => f.Path == RepositoryPath.Weights);
        Config = ConfigFile is { Kind: ContentKind.Other, Config: { } bytes } ? AdapterConfig.Parse(bytes) : null;
        Header = WeightsFile?.Header?.Header;
        Layout = Header is null ? null : AdapterLayout.Of(Header.Tensors, Config?.Config);
        if (Layout is not null && Config is { Config: { } config } && Config.Problems.All(p => p.Error != ConfigError.InvalidPattern))
            Rules = Resolve(config, Layout);
    }

    public ImmutableArray<FileScan> Files { get; }

    /// <summary>How many files there are, those beyond the limit included.</summary>
    public int FileCount { get; }

    public ValidationLimits Limits { get; }

    public FileScan? ConfigFile { get; }

    public FileScan? WeightsFile { get; }

    public AdapterConfigParse? Config { get; }

    public SafetensorsHeader? Header { get; }

    public AdapterLayout? Layout { get; }

    /// <summary>What the configuration says of each module of the layout.</summary>
    public ImmutableDictionary<string, (int Rank, double Scaling, bool IsTarget)>? Rules { get; private set; }

    /// <summary>Whether a pattern took too long.</summary>
    public bool TimedOut { get; private set; }

    /// <summary>The issues found, in the order of the checks.</summary>
    public ImmutableArray<ValidationIssue> Issues => [.. issues];

    /// <summary>Adds an issue; beyond the limit for its code only the number grows.</summary>
    public void Add(string code, string path, string message)
    {
        var count = counts[code] = counts.GetValueOrDefault(code) + 1;
        if (count <= Limits.IssuesPerCode)
        {
            issues.Add(IssueCodes.Issue(code, Shortened(path), Shortened(message)));
            return;
        }

        var last = issues.FindLastIndex(i => i.Code == code);
        var more = $" (and {count - Limits.IssuesPerCode} more like this)";
        var shortened = issues[last].Message.Split(" (and ")[0];
        issues[last] = issues[last] with { Message = shortened + more };
    }

    /// <summary>The modules whose tensors fit together and with the configuration's scaling.</summary>
    public IEnumerable<(TargetModule Module, ModuleTensors Tensors)> Modules()
    {
        foreach (var tensors in Layout?.Modules ?? [])
        {
            if (tensors is not { A: not null, B: not null } || Rules is null || !ModuleShape.TryRead(tensors, out var shape, out _))
                continue;
            var module = new TargetModule(
                tensors.Name, shape.Kind, shape.Out, shape.In, shape.Rank, Rules[tensors.Name].Scaling,
                shape.Kernel, tensors.Magnitude is not null, tensors.FactorBias is not null);
            yield return (module, tensors);
        }
    }

    // Names and patterns are the publisher's, of any length.
    private static string Shortened(string text) => text.Length <= 2000 ? text : text[..2000] + "…";

    private ImmutableDictionary<string, (int Rank, double Scaling, bool IsTarget)>? Resolve(AdapterConfig config, AdapterLayout layout)
    {
        var rules = new ModuleRules(config);
        try
        {
            return layout.Modules.ToImmutableDictionary(
                m => m.Name, m => (rules.Rank(m.Name), rules.Scaling(m.Name), rules.IsTarget(m.Name)), StringComparer.Ordinal);
        }
        catch (RegexMatchTimeoutException)
        {
            TimedOut = true;
            return null;
        }
    }
}
