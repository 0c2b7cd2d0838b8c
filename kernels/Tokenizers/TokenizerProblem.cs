namespace Marketplace.Kernels.Tokenizers;

/// <summary>Why a folder's tokenizer can't be used as its files say.</summary>
/// <param name="Code">One of <see cref="TokenizerProblems"/>.</param>
/// <param name="Message">What is wrong, for a reader of the file.</param>
/// <param name="Place">The file and the path inside it, such as <c>tokenizer.json: pre_tokenizer.pattern</c>.</param>
public sealed record TokenizerProblem(string Code, string Message, string Place);

/// <summary>The codes of <see cref="TokenizerProblem"/>.</summary>
public static class TokenizerProblems
{
    /// <summary>The folder has no <c>tokenizer.json</c>.</summary>
    public const string FileMissing = "tokenizer-missing";

    /// <summary>A file, a vocabulary, a token or a nesting is larger than <see cref="TokenizerLimits"/> allow.</summary>
    public const string LimitExceeded = "tokenizer-limit";

    /// <summary>A file is not JSON, or not UTF-8.</summary>
    public const string NotJson = "tokenizer-not-json";

    /// <summary>The file has a format version other than 1.0.</summary>
    public const string VersionUnsupported = "tokenizer-version";

    /// <summary>A field that is needed is absent.</summary>
    public const string FieldMissing = "tokenizer-field-missing";

    /// <summary>A field has a value of the wrong kind or outside its range.</summary>
    public const string FieldInvalid = "tokenizer-field-invalid";

    /// <summary>A model, or an option of one, that is not implemented.</summary>
    public const string ModelUnsupported = "tokenizer-model";

    /// <summary>A normalizer that is not implemented.</summary>
    public const string NormalizerUnsupported = "tokenizer-normalizer";

    /// <summary>A pre-tokenizer that is not implemented.</summary>
    public const string PreTokenizerUnsupported = "tokenizer-pre-tokenizer";

    /// <summary>A post-processor that is not implemented.</summary>
    public const string PostProcessorUnsupported = "tokenizer-post-processor";

    /// <summary>A decoder that is not implemented.</summary>
    public const string DecoderUnsupported = "tokenizer-decoder";

    /// <summary>A regular expression that would not mean the same here, or can't be compiled.</summary>
    public const string PatternUnsupported = "tokenizer-pattern";

    /// <summary>The vocabulary names a token or an id twice, or is empty.</summary>
    public const string VocabularyInvalid = "tokenizer-vocabulary";

    /// <summary>A merge names a token that the vocabulary lacks.</summary>
    public const string MergeUnknown = "tokenizer-merge";

    /// <summary>The model needs an unknown token that its vocabulary lacks.</summary>
    public const string UnknownTokenMissing = "tokenizer-unknown-token";

    /// <summary>An added token states another id than it would be given, or looks like another one.</summary>
    public const string AddedTokenInvalid = "tokenizer-added-token";
}

/// <summary>What a tokenizer's files may ask for: they come from strangers.</summary>
public static class TokenizerLimits
{
    /// <summary>Largest file, in bytes: three times the largest in use.</summary>
    public const long FileBytes = 96L << 20;

    /// <summary>Most tokens, those added included.</summary>
    public const int Tokens = 1 << 20;

    /// <summary>Most merges.</summary>
    public const int Merges = 1 << 22;

    /// <summary>Longest token, in UTF-16 code units.</summary>
    public const int TokenLength = 4096;

    /// <summary>Longest added token, in UTF-16 code units: every place in a text is compared with them.</summary>
    public const int AddedTokenLength = 1024;

    /// <summary>Longest regular expression or replacement, in UTF-16 code units.</summary>
    public const int PatternLength = 4096;

    /// <summary>Parts in one sequence, and sequences inside one another.</summary>
    public const int Parts = 64;

    /// <summary>How many times as long a text may become by all normalizers, by all pre-tokenizers and by all decoders.</summary>
    public const double Growth = 1024;

    /// <summary>How long one match of a backtracking expression may take before it counts as an attack.</summary>
    public static TimeSpan MatchTime { get; } = TimeSpan.FromSeconds(5);
}
