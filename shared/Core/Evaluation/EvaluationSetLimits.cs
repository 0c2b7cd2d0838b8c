namespace Marketplace.Core.Evaluation;

/// <summary>How large evaluation sets may be.</summary>
public static class EvaluationSetLimits
{
    /// <summary>Items.</summary>
    public const int MaxItems = 100_000;

    /// <summary>Bytes, as given and in canonical form.</summary>
    public const int MaxBytes = 64 << 20;

    /// <summary>Bytes of one line.</summary>
    public const int MaxLineBytes = 4 << 20;

    /// <summary>Choices or accepted answers of an item.</summary>
    public const int MaxChoices = 64;

    /// <summary>Texts at which an item's generation ends.</summary>
    public const int MaxStops = 16;

    /// <summary>Characters of an id, of the name of a task, of a separator, of a stop text.</summary>
    public const int MaxNameChars = 200;

    /// <summary>Characters of a description.</summary>
    public const int MaxDescriptionChars = 10_000;

    /// <summary>Tokens that an item may have written.</summary>
    public const int MaxTokens = 4096;

    /// <summary>Tokens that are written where an item does not say.</summary>
    public const int DefaultTokens = 32;

    /// <summary>Problems that are listed; reading ends there.</summary>
    public const int MaxProblems = 100;
}
