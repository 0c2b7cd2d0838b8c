using System.Collections.Immutable;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Composition;

/// <summary>A way of learning from examples how adapters are combined.</summary>
/// <param name="Name">As requests spell it.</param>
/// <param name="Summary">Formula or idea, with the source.</param>
/// <param name="Parameters">Its parameters; each is one value for all modules.</param>
public sealed record CompositionMethod(string Name, string Summary, ImmutableArray<MethodParameter> Parameters)
{
    /// <summary>The parameter of that name, or null.</summary>
    public MethodParameter? Parameter(string name) => Parameters.FirstOrDefault(p => p.Name == name);
}

/// <summary>Every way of learned composition. All of them leave the base model and the adapters' factors as they are, and none forms ΔW.</summary>
public static class CompositionMethods
{
    /// <summary>Learned coefficients.</summary>
    public const string Atlas = "atlas";

    /// <summary>Learned factors of the rows of each source's output.</summary>
    public const string ScaLearn = "scalearn";

    /// <summary>Learned singular values of pooled axes.</summary>
    public const string Axis = "axis";

    /// <summary>Weights found by values alone.</summary>
    public const string Search = "search";

    /// <summary>Of <c>merge</c>: the weighted sum.</summary>
    public const string Linear = "linear";

    /// <summary>Of <c>granularity</c>: each module has its own.</summary>
    public const string Module = "module";

    /// <summary>Of <c>granularity</c>: the modules of a layer share.</summary>
    public const string Layer = "layer";

    /// <summary>Of <c>granularity</c>: all modules share.</summary>
    public const string Global = "global";

    /// <summary>Of <c>granularity</c>: modules of one name in all layers share.</summary>
    public const string Shared = "shared";

    /// <summary>Of <c>partition</c>: rows of ΔW in equal blocks.</summary>
    public const string Rows = "rows";

    /// <summary>Of <c>partition</c>: singular axes of each source in equal blocks, the strongest first.</summary>
    public const string Ranks = "ranks";

    /// <summary>Of <c>objective</c>: the mean of −log p over the tokens of the right answers.</summary>
    public const string Answer = "answer";

    /// <summary>Of <c>objective</c>: −log of the right choice's softmax among the choices, by log-likelihood.</summary>
    public const string Choices = "choices";

    /// <summary>Of <c>objective</c>: the entropy of the predictions, which needs no answers.</summary>
    public const string Entropy = "entropy";

    private static readonly ImmutableArray<MethodParameter> Loss =
    [
        MethodParameter.OfChoice(
            "objective", "What is made small: −log p of the answers' tokens, −log of the right choice among the choices, or the entropy of the predictions, which looks at no answer",
            Answer, Choices, Entropy),
        MethodParameter.OfNumber("temperature", 1, "Divides logits, and log-likelihoods of choices, before the softmax") with { Min = 0, AboveMin = true },
    ];

    /// <summary>All methods, in the order that help shows them.</summary>
    public static ImmutableArray<CompositionMethod> All { get; } =
    [
        new(Atlas, "ΔW = Σ cₑΔWₑ with a learned coefficient for each source and module (aTLAS, arXiv 2407.02880)",
        [
            MethodParameter.OfChoice("granularity", "What has a coefficient of its own", Module, Layer, Global),
            MethodParameter.OfChoice("partition", "Whether a module's rows, or each source's singular axes, are cut into blocks with coefficients of their own", "none", Rows, Ranks),
            MethodParameter.OfWholeNumber("blocks", 2, "How many blocks, where there is a partition") with { Min = 1, Max = 1024 },
            .. Training(epochs: 20, batch: 128, rate: 0.1, decay: 0.1, clip: 1, "constant"),
        ]),
        new(ScaLearn, "ΔW = Σ diag(ωₑ)·ΔWₑ with a learned vector for each source and module (ScaLearn, arXiv 2310.01217)",
        [
            MethodParameter.OfChoice("granularity", "Whether each module has its own ω, or modules of one name share it over the layers (ScaLearn++)", Module, Shared),
            MethodParameter.OfFlag("uniform", false, "Whether ω is one number instead of one for each row (ScaLearnUniform)"),
            MethodParameter.OfNumber("dropout", 0.3, "Share of ω's entries that a step leaves out; the others are divided by what is left") with { Min = 0, Max = 1, BelowMax = true },
            .. Training(epochs: 30, batch: 32, rate: 6e-3, decay: 0, clip: 0, "linear"),
        ]),
        new(Axis, "The strongest singular axes of all sources, added up and decomposed again; the largest singular values are learned (AXIS, arXiv 2508.19353)",
        [
            MethodParameter.OfWholeNumber("axes", 76, "How many axes of all sources together are kept at a module") with { Min = 1 },
            MethodParameter.OfNumber("trained", 0.4, "Which share of the singular values is learned, the largest ones; at least one") with { Min = 0, AboveMin = true, Max = 1 },
            MethodParameter.OfFlag("normalize_sources", false, "Whether every ΔWₑ is first brought to the mean norm of all, so that none prevails by its size"),
            .. Training(epochs: 10, batch: 128, rate: 0.1, decay: 0, clip: 0, "constant"),
        ]),
        new(Search, "Weights of a merge, by default of ΔW = Σ wₑΔWₑ, found without gradients (CMA-ES), as LoraHub does (arXiv 2307.13269)",
        [
            MethodParameter.OfChoice("merge", "The merge method whose weights are searched; its own parameters have their defaults", [Linear, .. MergeMethods.All.Where(m => m.Weighted && m.Name != Linear).Select(m => m.Name)]),
            MethodParameter.OfChoice("granularity", "What has a weight of its own; layers only of linear merges", Global, Layer),
            .. Loss,
            MethodParameter.OfNumber("l1", 0.05, "Factor of the mean of |w| over sources, which is added to the loss") with { Min = 0 },
            MethodParameter.OfWholeNumber("evaluations", 40, "How many weights are tried, the base by itself among them") with { Min = 1, Max = 100_000 },
            MethodParameter.OfNumber("bound", 1.5, "No weight is larger in magnitude") with { Min = 0, AboveMin = true },
            MethodParameter.OfNumber("sigma", 0.5, "Standard deviation of the first weights that are tried") with { Min = 0, AboveMin = true },
            HoldOut,
        ]),
    ];

    private static MethodParameter HoldOut =>
        MethodParameter.OfNumber("hold_out", 0.2, "Share of the examples that nothing is learned from, where no validation set is named") with { Min = 0, Max = 0.9 };

    /// <summary>The method of that name, or null.</summary>
    public static CompositionMethod? Find(string name) => All.FirstOrDefault(m => m.Name == name);

    private static ImmutableArray<MethodParameter> Training(int epochs, int batch, double rate, double decay, double clip, string schedule) =>
    [
        .. Loss,
        MethodParameter.OfWholeNumber("epochs", epochs, "Passes over the examples") with { Min = 0, Max = 100_000 },
        MethodParameter.OfWholeNumber("steps", 0, "At most so many steps; 0 for as many as the epochs have") with { Min = 0 },
        MethodParameter.OfWholeNumber("batch", batch, "Examples of a step") with { Min = 1, Max = 4096 },
        MethodParameter.OfNumber("learning_rate", rate, "Learning rate of AdamW") with { Min = 0, AboveMin = true },
        MethodParameter.OfNumber("weight_decay", decay, "Weight decay of AdamW") with { Min = 0 },
        MethodParameter.OfNumber("clip", clip, "Largest norm of the gradient, which is scaled down to it; 0 for none") with { Min = 0 },
        MethodParameter.OfChoice("schedule", "Whether the learning rate stays or falls to zero", schedule, schedule == "linear" ? "constant" : "linear"),
        MethodParameter.OfNumber("l1", 0, "Factor of the mean of |coefficient|, which is added to the loss") with { Min = 0 },
        HoldOut,
        MethodParameter.OfWholeNumber("patience", 5, "Epochs without a better held-out loss after which learning ends; 0 for all epochs") with { Min = 0 },
    ];
}
