using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>Says to who sends something else what this registry holds, and where the rest goes.</summary>
internal static class TreeRefusal
{
    private const int MaxNamed = 5;

    /// <summary>The refusal.</summary>
    /// <param name="foreign">The files that show it.</param>
    /// <param name="forBaseModel">Whether the repository is to become a base model.</param>
    /// <param name="isAdmin">Whether an admin asks.</param>
    public static ProblemHttpResult Of(IReadOnlyList<string> foreign, bool forBaseModel, bool isAdmin)
    {
        var named = string.Join(", ", foreign.Take(MaxNamed)) + (foreign.Count > MaxNamed ? $" and {foreign.Count - MaxNamed} more" : "");
        if (forBaseModel)
            return HubProblems.BadRequest($"This repository is to become a base model: config.json, tokenizer, and weights as safetensors. Found: {named}. Adapters go into repositories of their own.");
        if (foreign.Any(path => path.StartsWith("adapter_model.", StringComparison.Ordinal)))
            return HubProblems.BadRequest($"Weights are taken as adapter_model.safetensors only; found: {named}. PEFT writes it with save_pretrained(folder, safe_serialization=True).");
        var where = isAdmin
            ? "A base model is registered as config.json, tokenizer, and weights as safetensors."
            : "Base models are registered by an admin of this registry; an adapter only names its own, as base_model_name_or_path in adapter_config.json.";
        return HubProblems.BadRequest(
            $"This registry holds LoRA adapters: adapter_config.json beside adapter_model.safetensors, with README.md, tokenizer and whatever else belongs to them. Found: {named}, which is no adapter's. {where}");
    }
}
