using System.Collections.Immutable;
using System.Globalization;

namespace Marketplace.Core.Formats;

/// <summary>
/// What a configuration says of each module, as PEFT resolves it: whether it is adapted, its rank and its scaling. Module names are
/// those of the base model, without <c>base_model.model.</c>. Safe for use by several threads.
/// </summary>
public sealed class ModuleRules
{
    private readonly AdapterConfig config;
    private readonly MatchBudget budget = new();
    private readonly ImmutableArray<(string Key, PythonPattern Pattern, int Value)> ranks;
    private readonly ImmutableArray<(string Key, PythonPattern Pattern, double Value)> alphas;
    private readonly ImmutableArray<PythonPattern> layers;
    private readonly PythonPattern? target;
    private readonly PythonPattern? exclude;
    private readonly HashSet<string> targetNames;
    private readonly HashSet<string> excludedNames;

    /// <summary>Reads the patterns of a configuration that was parsed without problems.</summary>
    /// <exception cref="ArgumentException">A pattern is invalid.</exception>
    public ModuleRules(AdapterConfig config)
        : this(config, null)
    {
    }

    private ModuleRules(AdapterConfig config, List<ConfigProblem>? problems)
    {
        this.config = config;
        ranks = Compile(config.RankPattern, "rank_pattern");
        alphas = Compile(config.AlphaPattern, "alpha_pattern");
        target = Whole(config.TargetModules?.Pattern, "target_modules");
        exclude = Whole(config.ExcludeModules?.Pattern, "exclude_modules");
        targetNames = [.. config.TargetModules?.Names ?? []];
        excludedNames = [.. config.ExcludeModules?.Names ?? []];
        ImmutableArray<string> before = config.LayersPattern.IsEmpty ? [@"[^.]*"] : config.LayersPattern;
        layers = [.. before.Select((expression, i) => Add(
            PythonPattern.TryPrefix($@".*\.{expression}\.(\d+)\.", out var p), p, $"$.layers_pattern[{i}]", expression)).OfType<PythonPattern>()];

        ImmutableArray<(string, PythonPattern, T)> Compile<T>(ImmutableArray<PatternValue<T>> values, string key) =>
            [.. values.Select(v => (v.Key, Add(PythonPattern.TryEnding(v.Key, out var p), p, $"$.{key}['{v.Key}']", v.Key)!, v.Value)).Where(v => v.Item2 is not null)];

        PythonPattern? Whole(string? expression, string key) =>
            expression is null ? null : Add(PythonPattern.TryWhole(expression, out var p), p, "$." + key, expression);

        PythonPattern? Add(bool valid, PythonPattern? pattern, string path, string expression)
        {
            var message = $"'{expression}' is not a regular expression that can be read.";
            if (!valid && problems is null)
                throw new ArgumentException(message, nameof(config));
            if (!valid)
                problems!.Add(new(ConfigError.InvalidPattern, path, message));
            return pattern;
        }
    }

    /// <summary>The patterns of a configuration that can't be read.</summary>
    internal static List<ConfigProblem> Check(AdapterConfig config)
    {
        List<ConfigProblem> problems = [];
        _ = new ModuleRules(config, problems);
        return problems;
    }

    /// <summary>r of the module: of the first key of <c>rank_pattern</c> that matches <c>^(.*\.)?(KEY)$</c>, else the common one.</summary>
    /// <exception cref="System.Text.RegularExpressions.RegexMatchTimeoutException">A pattern takes too long.</exception>
    public int Rank(string module) => Resolve(ranks, module, config.Rank);

    /// <summary>alpha of the module: of the first key of <c>alpha_pattern</c> that matches <c>^(.*\.)?(KEY)$</c>, else the common one.</summary>
    /// <exception cref="System.Text.RegularExpressions.RegexMatchTimeoutException">A pattern takes too long.</exception>
    public double Alpha(string module) => Resolve(alphas, module, config.Alpha);

    /// <summary>s of the module: alpha ∕ r, or alpha ∕ √r under rsLoRA.</summary>
    /// <exception cref="System.Text.RegularExpressions.RegexMatchTimeoutException">A pattern takes too long.</exception>
    public double Scaling(string module) => Alpha(module) / (config.UseRsLora ? Math.Sqrt(Rank(module)) : Rank(module));

    /// <summary>Whether the configuration says that the module is adapted. Where it leaves that to the architecture, any module may be.</summary>
    /// <exception cref="System.Text.RegularExpressions.RegexMatchTimeoutException">A pattern takes too long.</exception>
    public bool IsTarget(string module)
    {
        if (exclude?.IsMatch(module, budget) ?? HasEnding(module, excludedNames))
            return false;
        if (target is not null)
            return target.IsMatch(module, budget);
        if (config.TargetModules is null or { IsAllLinear: true } || targetNames.Contains(module))
            return true;
        if (!HasEnding(module, targetNames))
            return false;
        return config.LayersToTransform.IsEmpty || (LayerIndex(module) is { } index && config.LayersToTransform.Contains(index));
    }

    // A name of a list stands for the modules whose name it is, or whose name ends with it from a dot on.
    private static bool HasEnding(string module, HashSet<string> names)
    {
        if (names.Contains(module))
            return true;
        for (var dot = module.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = module.IndexOf('.', dot + 1))
        {
            if (names.Contains(module[(dot + 1)..]))
                return true;
        }

        return false;
    }

    private int? LayerIndex(string module)
    {
        foreach (var pattern in layers)
        {
            if (pattern.FirstGroup(module, budget) is { } digits)
                return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;
        }

        return null;
    }

    private T Resolve<T>(ImmutableArray<(string Key, PythonPattern Pattern, T Value)> values, string module, T common)
    {
        foreach (var (_, pattern, value) in values)
        {
            if (pattern.IsMatch(module, budget))
                return value;
        }

        // PEFT then looks the name itself up, which a key with special characters may equal without matching it.
        foreach (var (key, _, value) in values)
        {
            if (key == module)
                return value;
        }

        return common;
    }
}
