using System.Collections.Immutable;

namespace Marketplace.Core.Formats;

/// <summary>What the names of a model's tensors tell, by the conventions of transformers.</summary>
public static class ModelNaming
{
    private const string Weight = ".weight";

    // What a model with a head calls the model without: the first part of a name, which exports of the latter leave out.
    private static readonly ImmutableArray<string> Prefixes = ["model", "transformer", "gpt_neox", "bert", "roberta", "distilbert"];

    private static readonly ImmutableHashSet<string> Conv1DModels = ["gpt2", "openai-gpt", "imagegpt", "decision_transformer"];

    private static readonly ImmutableHashSet<string> Conv1DLayers = ["c_attn", "q_attn", "c_proj", "c_fc"];

    private static readonly ImmutableHashSet<string> InputEmbeddings = ["embed_tokens", "wte", "embed_in", "word_embeddings", "tokens_embed"];

    private static readonly ImmutableHashSet<string> OtherEmbeddings =
        ["wpe", "positions_embed", "embed_positions", "position_embeddings", "token_type_embeddings", "shared"];

    private static readonly ImmutableHashSet<string> Heads = ["lm_head", "embed_out"];

    /// <summary>The names that one tensor or module has in exports of a model with and without its head, the given one first.</summary>
    public static IEnumerable<string> Spellings(string name) =>
        [name, .. Prefixes.Select(p => name.StartsWith(p + ".", StringComparison.Ordinal) ? name[(p.Length + 1)..] : $"{p}.{name}")];

    /// <summary>The module that holds a tensor called <c>MODULE.weight</c>; null for tensors of other names.</summary>
    public static string? ModuleOf(string tensor) =>
        tensor.EndsWith(Weight, StringComparison.Ordinal) ? tensor[..^Weight.Length] : null;

    /// <summary>Whether a module is the table of input embeddings.</summary>
    public static bool IsInputEmbedding(string module) => InputEmbeddings.Contains(LastPart(module));

    /// <summary>Whether a module is an embedding table of any kind.</summary>
    public static bool IsEmbedding(string module) => IsInputEmbedding(module) || OtherEmbeddings.Contains(LastPart(module));

    /// <summary>Whether a module is the output head of a language model.</summary>
    public static bool IsHead(string module) => Heads.Contains(LastPart(module));

    /// <summary>Whether models of that type have layers that store their weight as (in, out).</summary>
    public static bool HasConv1D(string modelType) => Conv1DModels.Contains(modelType);

    /// <summary>Whether a module of such a model is one of those layers.</summary>
    public static bool IsConv1D(string module) => Conv1DLayers.Contains(LastPart(module));

    /// <summary>What a model of that type with a head calls the model without.</summary>
    public static string PrefixOf(string? modelType) => modelType switch
    {
        "gpt2" or "openai-gpt" or "gpt_neo" or "gptj" or "codegen" or "falcon" or "bloom" or "mpt" or "imagegpt" => "transformer",
        "gpt_neox" or "bert" or "roberta" or "distilbert" => modelType,
        _ => "model",
    };

    private static string LastPart(string module) => module[(module.LastIndexOf('.') + 1)..];
}
