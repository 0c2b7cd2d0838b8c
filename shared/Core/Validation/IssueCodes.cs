using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using static Marketplace.Core.Validation.IssueSeverity;

namespace Marketplace.Core.Validation;

/// <summary>Every code that validation may report, with its severity and meaning. docs/validation.md lists the same.</summary>
public static class IssueCodes
{
#pragma warning disable CS1591 // The meanings stand in the registry below.
    public const string PathInvalid = "path-invalid";
    public const string PathRepeated = "path-repeated";
    public const string LimitExceeded = "limit-exceeded";
    public const string Pickle = "pickle";
    public const string UnreadWeights = "unread-weights";
    public const string ConfigMissing = "config-missing";
    public const string ConfigLfsPointer = "config-lfs-pointer";
    public const string ConfigNotJson = "config-not-json";
    public const string ConfigInvalid = "config-invalid";
    public const string ConfigPattern = "config-pattern";
    public const string PeftTypeUnsupported = "peft-type-unsupported";
    public const string InitUnsupported = "init-unsupported";
    public const string VariantUnsupported = "variant-unsupported";
    public const string BaseUnresolved = "base-unresolved";
    public const string CardBaseMismatch = "card-base-mismatch";
    public const string ActivatedByTokens = "activated-by-tokens";
    public const string TargetRepeated = "target-repeated";
    public const string TargetAbsent = "target-absent";
    public const string WeightsMissing = "weights-missing";
    public const string WeightsLfsPointer = "weights-lfs-pointer";
    public const string NotSafetensors = "not-safetensors";
    public const string HeaderTooLarge = "header-too-large";
    public const string HeaderInvalid = "header-invalid";
    public const string HeaderDuplicate = "header-duplicate";
    public const string OffsetsInvalid = "offsets-invalid";
    public const string Truncated = "truncated";
    public const string TrailingBytes = "trailing-bytes";
    public const string NoModules = "no-modules";
    public const string UnknownTensor = "unknown-tensor";
    public const string AWithoutB = "a-without-b";
    public const string BWithoutA = "b-without-a";
    public const string RankMismatch = "rank-mismatch";
    public const string ShapeMismatch = "shape-mismatch";
    public const string TypeUnsupported = "type-unsupported";
    public const string LoraNotInConfig = "lora-not-in-config";
    public const string PartMissing = "part-missing";
    public const string NonFinite = "non-finite";
    public const string Untrained = "untrained";
    public const string ZeroModule = "zero-module";
    public const string ExtremeNorm = "extreme-norm";
    public const string SavedModules = "saved-modules";
    public const string UndeclaredSavedModule = "undeclared-saved-module";
    public const string BiasTensors = "bias-tensors";
    public const string TrainedTokens = "trained-tokens";
    public const string Dora = "dora";
    public const string LoraBias = "lora-bias";
    public const string SameContent = "same-content";
    public const string NearDuplicate = "near-duplicate";
    public const string UnchangedDelta = "unchanged-delta";
    public const string FileIncomplete = "file-incomplete";
    public const string DigestMismatch = "digest-mismatch";
#pragma warning restore CS1591

    /// <summary>Codes that files alone can't give rise to: the service adds them.</summary>
    public static ImmutableArray<string> OfTheService { get; } = [SameContent, NearDuplicate, UnchangedDelta, FileIncomplete, DigestMismatch];

    /// <summary>
    /// Codes that only the publisher is told: they speak of other adapters, which may be the publisher's private ones. Whoever else reads the report of a version reads it without them,
    /// and lists do not show them.
    /// </summary>
    public static ImmutableArray<string> ForThePublisher { get; } = [SameContent, NearDuplicate, UnchangedDelta];

    private static readonly FrozenDictionary<string, IssueCode> ByCode;

    static IssueCodes() => ByCode = All.ToFrozenDictionary(c => c.Code, StringComparer.Ordinal);

    /// <summary>The registry.</summary>
    public static ImmutableArray<IssueCode> All { get; } =
    [
        new(PathInvalid, Error, "A file lies at a path that Hub clients refuse or cannot fetch."),
        new(PathRepeated, Error, "Two files lie at one path."),
        new(LimitExceeded, Error, "There are more or larger files, tensors, names or ranks than we take."),
        new(Pickle, Error, "A file is a pickle or a zip archive, by its content: loading it can run code."),
        new(UnreadWeights, Warning, "Another safetensors file lies beside adapter_model.safetensors; nothing reads it."),
        new(ConfigMissing, Error, "There is no adapter_config.json."),
        new(ConfigLfsPointer, Error, "adapter_config.json is the text of a Git LFS pointer instead of the file it points to."),
        new(ConfigNotJson, Error, "adapter_config.json is not a JSON object with unique names."),
        new(ConfigInvalid, Error, "A member of adapter_config.json has a value of the wrong kind or range."),
        new(ConfigPattern, Error, "A regular expression of adapter_config.json cannot be read, or takes too long."),
        new(PeftTypeUnsupported, Error, "The adapter is of another peft_type than LORA."),
        new(InitUnsupported, Error, "The factors are relative to a base model that their initialisation changed."),
        new(VariantUnsupported, Error, "A variant of LoRA whose change of the weights is not s·B·A."),
        new(BaseUnresolved, Warning, "The base model's name is missing or a path, so it is in no library until an alias is confirmed."),
        new(CardBaseMismatch, Warning, "The model card names another base model than adapter_config.json, which is the one that counts."),
        new(ActivatedByTokens, Warning, "The adapter acts only after certain tokens, so it cannot be merged."),
        new(TargetRepeated, Warning, "target_modules names a module twice."),
        new(TargetAbsent, Warning, "target_modules names a module that has no tensors."),
        new(WeightsMissing, Error, "There is no adapter_model.safetensors."),
        new(WeightsLfsPointer, Error, "adapter_model.safetensors is the text of a Git LFS pointer instead of the file it points to."),
        new(NotSafetensors, Error, "adapter_model.safetensors does not begin with a safetensors header."),
        new(HeaderTooLarge, Error, "The header claims more than 100 MB."),
        new(HeaderInvalid, Error, "An entry of the header has unknown or malformed members."),
        new(HeaderDuplicate, Error, "A name occurs twice in the header, which readers resolve differently."),
        new(OffsetsInvalid, Error, "Tensors overlap, leave holes, or span another size than their shape needs."),
        new(Truncated, Error, "The file ends before its header or its tensors do."),
        new(TrailingBytes, Error, "Bytes after the last tensor belong to none."),
        new(NoModules, Error, "There is no LoRA tensor at all."),
        new(UnknownTensor, Error, "A tensor is neither part of a LoRA nor a parameter of the model."),
        new(AWithoutB, Error, "A module has a factor A and no B."),
        new(BWithoutA, Error, "A module has a factor B and no A."),
        new(RankMismatch, Error, "Factor A has another number of rows than the configuration's rank for the module."),
        new(ShapeMismatch, Error, "The tensors of a module have shapes that do not fit together."),
        new(TypeUnsupported, Error, "A LoRA tensor is not F64, F32, F16 or BF16."),
        new(LoraNotInConfig, Error, "A LoRA tensor that no entry of the configuration explains."),
        new(PartMissing, Error, "use_dora or lora_bias promise a tensor that a module lacks."),
        new(NonFinite, Error, "A tensor contains NaN or infinity."),
        new(Untrained, Warning, "Factor B is zero in every module: the adapter changes nothing."),
        new(ZeroModule, Info, "A module's factor is zero: the adapter does not change it."),
        new(ExtremeNorm, Warning, "The change of a module's weight is larger than any training explains."),
        new(SavedModules, Info, "Modules are saved whole, as modules_to_save says; they are carried along and cannot be merged."),
        new(UndeclaredSavedModule, Warning, "A parameter is saved whole although the configuration does not say so; it cannot be merged."),
        new(BiasTensors, Warning, "Biases of the base model were trained along; they are carried along and cannot be merged."),
        new(TrainedTokens, Info, "Rows of an embedding were trained along; they are carried along and cannot be merged."),
        new(Dora, Info, "The adapter is a DoRA: its effect needs the base weights, so it cannot be merged in factored form."),
        new(LoraBias, Info, "Factor B has biases; they are carried along and cannot be merged in factored form."),
        new(SameContent, Warning, "The same content is already published under another name."),
        new(NearDuplicate, Warning, "The change of the weights is nearly that of an adapter which is already published under another name; only the publisher is told."),
        new(UnchangedDelta, Info, "The change of the weights is that of the version before; only the publisher is told."),
        new(FileIncomplete, Error, "The bytes of an announced file did not arrive, or changed while they were read."),
        new(DigestMismatch, Error, "The bytes of a file do not have the SHA-256 that was announced for them."),
    ];

    /// <summary>What is known of a code; null if there is no such code.</summary>
    public static IssueCode? Find(string code) => ByCode.GetValueOrDefault(code);

    /// <summary>An issue with the severity of its code.</summary>
    /// <exception cref="ArgumentException">There is no such code.</exception>
    public static ValidationIssue Issue(string code, string path, string message) =>
        Find(code) is { } known
            ? new(known.Code, known.Severity, path, message)
            : throw new ArgumentException($"'{code}' is not a registered code.", nameof(code));

    /// <summary>The warning that content is already published, which only the service can know; it must not name what the publisher may not see.</summary>
    /// <param name="path">The file in question.</param>
    /// <param name="published">The adapter that already has it.</param>
    public static ValidationIssue AlreadyPublished(string path, AdapterId published) =>
        Issue(SameContent, path, $"{published} already has the same content.");

    /// <summary>The warning that an adapter is nearly another one; it must not name what the publisher may not see.</summary>
    /// <param name="published">The other one, <c>owner/name@number</c>.</param>
    /// <param name="duplicate">How they agree.</param>
    public static ValidationIssue NearlyPublished(string published, Analysis.NearDuplicate duplicate) => Issue(
        NearDuplicate, RepositoryPath.Weights,
        string.Create(CultureInfo.InvariantCulture, $"This adapter is {duplicate.Comparison.Cosine:0.####} of {published} by the cosine of ΔW: {duplicate.Describe()}."));
}
