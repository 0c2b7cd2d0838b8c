using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>Checks on adapter_config.json.</summary>
internal static class ConfigChecks
{
    public static void Present(ValidationContext context)
    {
        if (context.ConfigFile is null)
            context.Add(IssueCodes.ConfigMissing, RepositoryPath.Config, "The adapter has no configuration.");
    }

    public static void Pointer(ValidationContext context)
    {
        if (context.ConfigFile?.Kind == ContentKind.LfsPointer)
            context.Add(IssueCodes.ConfigLfsPointer, RepositoryPath.Config, "This is a Git LFS pointer. Publish the file itself (git lfs pull).");
    }

    public static void Readable(ValidationContext context)
    {
        foreach (var problem in context.Config?.Problems ?? [])
            context.Add(Code(problem.Error), problem.Error == ConfigError.NotJson ? RepositoryPath.Config : problem.Path, problem.Message);
    }

    public static void Timeouts(ValidationContext context)
    {
        if (context.TimedOut)
            context.Add(IssueCodes.ConfigPattern, RepositoryPath.Config, "A regular expression takes too long to match the modules' names.");
    }

    public static void Rank(ValidationContext context)
    {
        if (context.Config?.Config is not { } config)
            return;
        if (config.Rank > context.Limits.Rank)
            context.Add(IssueCodes.LimitExceeded, "$.r", $"The rank is {config.Rank}; at most {context.Limits.Rank} is taken.");
        foreach (var (key, rank) in config.RankPattern.Where(p => p.Value > context.Limits.Rank))
            context.Add(IssueCodes.LimitExceeded, $"$.rank_pattern['{key}']", $"The rank is {rank}; at most {context.Limits.Rank} is taken.");
    }

    public static void Base(ValidationContext context)
    {
        if (context.Config?.Config is not { } config || BaseModelName.TryParse(config.BaseModel, out _))
            return;
        var name = string.IsNullOrEmpty(config.BaseModel) ? "No base model is named" : $"'{config.BaseModel}' is a place, not the name of a model";
        context.Add(IssueCodes.BaseUnresolved, "$.base_model_name_or_path", $"{name}; the adapter joins no library until an alias is confirmed.");
    }

    public static void Card(ValidationContext context)
    {
        if (context.Files.FirstOrDefault(f => f.Path == RepositoryPath.Card)?.Card is { } card && context.Config?.Config?.BaseModel is { } baseModel && card.Contradicts(baseModel))
            context.Add(IssueCodes.CardBaseMismatch, RepositoryPath.Card, $"The model card names {string.Join(", ", card.BaseModels.Select(m => $"'{m}'"))} as base model, the configuration '{baseModel}'.");
    }

    public static void Activation(ValidationContext context)
    {
        if (context.Config?.Config is { IsActivatedByTokens: true })
            context.Add(IssueCodes.ActivatedByTokens, "$.alora_invocation_tokens", "The adapter acts only after its invocation tokens.");
    }

    public static void RepeatedTargets(ValidationContext context)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var names = context.Config?.Config?.TargetModules?.Names ?? [];
        for (var i = 0; i < names.Length; i++)
        {
            if (!seen.Add(names[i]))
                context.Add(IssueCodes.TargetRepeated, $"$.target_modules[{i}]", $"'{names[i]}' is named twice.");
        }
    }

    public static void AbsentTargets(ValidationContext context)
    {
        if (context.Layout is not { Modules: { IsEmpty: false } modules } || context.Config?.Config?.TargetModules is not { } targets)
            return;
        if (targets.Pattern is not null && context.Rules is { } rules && !rules.Values.Any(r => r.IsTarget))
            context.Add(IssueCodes.TargetAbsent, "$.target_modules", $"No module of the weights matches '{targets.Pattern}'.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var ends = new HashSet<string>(modules.SelectMany(m => Ends(m.Name)), StringComparer.Ordinal);
        for (var i = 0; i < targets.Names.Length; i++)
        {
            if (seen.Add(targets.Names[i]) && !ends.Contains(targets.Names[i]))
                context.Add(IssueCodes.TargetAbsent, $"$.target_modules[{i}]", $"No tensor belongs to '{targets.Names[i]}'.");
        }
    }

    // a.b.c ends with a.b.c, b.c and c.
    private static IEnumerable<string> Ends(string name)
    {
        yield return name;
        for (var dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
            yield return name[(dot + 1)..];
    }

    private static string Code(ConfigError error) => error switch
    {
        ConfigError.NotJson => IssueCodes.ConfigNotJson,
        ConfigError.PeftTypeUnsupported => IssueCodes.PeftTypeUnsupported,
        ConfigError.InvalidPattern => IssueCodes.ConfigPattern,
        ConfigError.InitUnsupported => IssueCodes.InitUnsupported,
        ConfigError.VariantUnsupported => IssueCodes.VariantUnsupported,
        _ => IssueCodes.ConfigInvalid,
    };
}
