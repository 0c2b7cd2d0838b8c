namespace Marketplace.Core.Evaluation;

/// <summary>What the items of an evaluation set ask of a language model; all items of a set ask the same.</summary>
public enum EvaluationKind
{
    /// <summary>Which of several texts continues a prompt: the one to which the model gives the largest log-likelihood.</summary>
    MultipleChoice,

    /// <summary>How likely one text is after a prompt.</summary>
    Continuation,

    /// <summary>How likely a text is as a whole.</summary>
    Perplexity,

    /// <summary>What the model writes after a prompt, token by token the likeliest, held against accepted answers.</summary>
    Generation,
}
