namespace Marketplace.Storage;

/// <summary>
/// What an adapter can be found by: the tags of its card, and as tags of the Hub's form what else is known of it: <c>peft</c>, <c>lora</c>, <c>safetensors</c>, <c>license:…</c>, <c>dataset:…</c>,
/// languages, the task, <c>base_model:…</c> and <c>base_model:adapter:…</c> under the canonical id and under the spelling, <c>method:…</c> of what was derived.
/// </summary>
public static class AdapterTags
{
    private static readonly string[] Always = ["peft", "lora", "safetensors"];

    /// <summary>The tags, compared without regard to case.</summary>
    public static IReadOnlySet<string> Of(AdapterRecord adapter)
    {
        var tags = new HashSet<string>(Always, StringComparer.OrdinalIgnoreCase);
        foreach (var model in new[] { adapter.BaseModel, adapter.BaseModelName is { Length: > 0 } spelling ? spelling : null }.OfType<string>())
        {
            tags.Add($"base_model:{model}");
            tags.Add($"base_model:adapter:{model}");
        }

        if (adapter.Summary is not { } summary)
            return tags;
        tags.UnionWith(summary.Tags);
        if (summary.License is { } license)
            tags.Add($"license:{license}");
        if (summary.DerivedBy is { } method)
            tags.Add($"method:{method}");
        if (summary.Card is not { } card)
            return tags;
        tags.UnionWith(card.Languages);
        tags.UnionWith(card.Datasets.Select(dataset => $"dataset:{dataset}"));
        if (card.PipelineTag is { } task)
            tags.Add(task);
        return tags;
    }
}
