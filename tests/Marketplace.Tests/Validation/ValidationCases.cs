using System.Text;
using System.Text.Json.Nodes;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using static Marketplace.Core.Validation.IssueCodes;
using static Marketplace.Tests.Support.SafetensorsBytes;
using static Marketplace.Tests.Validation.CaseFiles;

namespace Marketplace.Tests.Validation;

/// <summary>One adapter and everything that must be said of it.</summary>
/// <param name="Name">What is special about it.</param>
/// <param name="Files">Builds its files.</param>
/// <param name="Expected">The issues, each as <c>CODE @ PATH</c>; no others may appear.</param>
/// <param name="Limits">Bounds, where the case is about them.</param>
internal sealed record ValidationCase(string Name, Func<CaseFiles> Files, string[] Expected, ValidationLimits? Limits = null);

/// <summary>Adapters with every fault that validation knows.</summary>
internal static class ValidationCases
{
    private const string Pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    private const string Config = RepositoryPath.Config;
    private const string Weights = RepositoryPath.Weights;
    private const string Magnitude = "base_model.model.l.0.q.lora_magnitude_vector";
    private const string Magnitude1 = "base_model.model.l.1.q.lora_magnitude_vector";
    private const string FactorBias = "base_model.model.l.0.q.lora_B.bias";
    private const string FactorBias1 = "base_model.model.l.1.q.lora_B.bias";

    public static IReadOnlyList<ValidationCase> All { get; } =
    [
        new("valid", () => new(), []),
        new("valid, with a model card", () => new CaseFiles().File("README.md"), []),
        new("valid, in four types", () => new CaseFiles().Tensor(A, [2, 3], type: TensorType.F64).Tensor(B, [4, 2], type: TensorType.F16).Tensor(B1, [4, 2], type: TensorType.BF16), []),
        new("valid, with ranks by module", () => new CaseFiles().Set("r", 8).Set("rank_pattern", """{"q":2}"""), []),
        new("valid, targets by expression", () => new CaseFiles().Set("target_modules", (JsonNode)".*q"), []),
        new("valid, all linear layers", () => new CaseFiles().Set("target_modules", (JsonNode)"all-linear"), []),
        new("valid, no targets named", () => new CaseFiles().Set("target_modules", (JsonNode?)null), []),
        new("valid, a convolution and an embedding", () => new CaseFiles().Tensor(A, [2, 3, 3, 3]).Tensor(B, [4, 2, 1, 1]).Without(A1, B1)
            .Tensor("base_model.model.l.1.q.lora_embedding_A", [2, 9]).Tensor("base_model.model.l.1.q.lora_embedding_B", [4, 2]), []),

        // Files
        new("path with a parent", () => new CaseFiles().File("../x"), ["path-invalid @ ../x"]),
        new("path in .git", () => new CaseFiles().File(".git/config"), ["path-invalid @ .git/config"]),
        new("a path twice", () => new CaseFiles().File("a.txt").File("a.txt", "y"), ["path-repeated @ a.txt"]),
        new("too many files", () => new CaseFiles().File("a").File("b"), ["limit-exceeded @ a"], new ValidationLimits(Files: 3)),
        new("a large file", () => new CaseFiles().File("a", new byte[2000]), ["limit-exceeded @ a"], new ValidationLimits(FileBytes: 1000)),
        new("a large configuration", () => new CaseFiles().Set("x", (JsonNode)new string('x', 500)), ["limit-exceeded @ adapter_config.json"], new ValidationLimits(ConfigBytes: 400)),
        new("weights in a zip", () => new CaseFiles().Weights([.. "PK\x03\x04"u8, .. new byte[100]]), ["pickle @ adapter_model.safetensors"]),
        new("weights in a pickle", () => new CaseFiles().Weights([0x80, 2, 0x8A, 0x0A, .. new byte[100]]), ["pickle @ adapter_model.safetensors"]),
        new("only the old weights", () => new CaseFiles().Weights((byte[]?)null).File("adapter_model.bin", [.. "PK\x03\x04"u8, 0]),
            ["pickle @ adapter_model.bin", "weights-missing @ adapter_model.safetensors"]),
        new("a pickle by another name", () => new CaseFiles().File("README.md", [0x80, 4, 0x95]), ["pickle @ README.md"]),
        new("a header of 640 bytes is no pickle", () => new CaseFiles().Weights(Padded(640)), []),
        new("other weights", () => new CaseFiles().File("other/x.SAFETENSORS"), ["unread-weights @ other/x.SAFETENSORS"]),

        // Configuration
        new("no configuration", () => new CaseFiles().Config(null), ["config-missing @ adapter_config.json"]),
        new("nothing", () => new CaseFiles().Config(null).Weights((byte[]?)null), ["config-missing @ adapter_config.json", "weights-missing @ adapter_model.safetensors"]),
        new("two pointers", () => new CaseFiles().Config(Pointer).Weights(Encoding.UTF8.GetBytes(Pointer)),
            ["config-lfs-pointer @ adapter_config.json", "weights-lfs-pointer @ adapter_model.safetensors"]),
        new("no JSON", () => new CaseFiles().Config("{"), ["config-not-json @ adapter_config.json"]),
        new("empty configuration file", () => new CaseFiles().Config(""), ["config-not-json @ adapter_config.json"]),
        new("a JSON list", () => new CaseFiles().Config("[]"), ["config-not-json @ adapter_config.json"]),
        new("a member twice", () => new CaseFiles().Config("""{"peft_type":"LORA","r":2,"r":4}"""), ["config-not-json @ adapter_config.json"]),
        new("two bad members", () => new CaseFiles().Set("r", 0).Set("bias", "5"), ["config-invalid @ $.r", "config-invalid @ $.bias"]),
        new("a bad expression", () => new CaseFiles().Set("rank_pattern", """{"(":4}"""), ["config-pattern @ $.rank_pattern['(']"]),
        new("an endless expression", () => new CaseFiles().Tensor($"base_model.model.{new string('a', 60)}.lora_A.weight", [2, 3])
            .Tensor($"base_model.model.{new string('a', 60)}.lora_B.weight", [4, 2]).Set("target_modules", (JsonNode)"(a+)+b|.*q"), ["config-pattern @ adapter_config.json"]),
        new("another type", () => new CaseFiles().Set("peft_type", (JsonNode)"LOHA"), ["peft-type-unsupported @ $.peft_type"]),
        new("no type", () => new CaseFiles().Set("peft_type", (JsonNode?)null), ["peft-type-unsupported @ $.peft_type"]),
        new("PiSSA", () => new CaseFiles().Set("init_lora_weights", (JsonNode)"pissa"), ["init-unsupported @ $.init_lora_weights"]),
        new("QA-LoRA", () => new CaseFiles().Set("use_qalora", true), ["variant-unsupported @ $.use_qalora"]),
        new("a huge rank", () => new CaseFiles().Set("r", 5000).Set("rank_pattern", """{"x":5001,"q":2}"""), ["limit-exceeded @ $.r", "limit-exceeded @ $.rank_pattern['x']"]),
        new("no base", () => new CaseFiles().Set("base_model_name_or_path", (JsonNode?)null), ["base-unresolved @ $.base_model_name_or_path"]),
        new("a path as base", () => new CaseFiles().Set("base_model_name_or_path", (JsonNode)"/models/x"), ["base-unresolved @ $.base_model_name_or_path"]),
        new("a card with another base", () => new CaseFiles().File("README.md", "---\nbase_model: [other/base, other/second]\n---\n# x\n"), ["card-base-mismatch @ README.md"]),
        new("a card with the same base in other letters, and others", () => new CaseFiles().File("README.md", "---\nbase_model:\n- other/base\n- Org/Base\n---\n"), []),
        new("a card whose base has no owner", () => new CaseFiles().File("README.md", "---\nbase_model: base\n---\n"), []),
        new("a card whose base is a path", () => new CaseFiles().File("README.md", "---\nbase_model: /models/x\n---\n"), []),
        new("activated LoRA", () => new CaseFiles().Set("alora_invocation_tokens", "[1,2]"), ["activated-by-tokens @ $.alora_invocation_tokens"]),
        new("targets repeated", () => new CaseFiles().Set("target_modules", """["q","x","q"]"""),
            ["target-repeated @ $.target_modules[2]", "target-absent @ $.target_modules[1]"]),
        new("an expression that matches nothing", () => new CaseFiles().Set("target_modules", (JsonNode)"k"),
            ["target-absent @ $.target_modules", $"lora-not-in-config @ {A}", $"lora-not-in-config @ {A1}"]),

        // Weights
        new("no weights", () => new CaseFiles().Weights((byte[]?)null), ["weights-missing @ adapter_model.safetensors"]),
        new("a pointer for weights", () => new CaseFiles().Weights(Encoding.UTF8.GetBytes(Pointer)), ["weights-lfs-pointer @ adapter_model.safetensors"]),
        new("empty weights", () => new CaseFiles().Weights([]), ["not-safetensors @ adapter_model.safetensors"]),
        new("text for weights", () => new CaseFiles().Weights([.. "<html>\0\0"u8, .. "not a header"u8]), ["header-too-large @ adapter_model.safetensors"]),
        new("no JSON header", () => new CaseFiles().Weights(File("{oops}")), ["not-safetensors @ adapter_model.safetensors"]),
        new("a header bomb", () => new CaseFiles().Weights([.. BitConverter.GetBytes(long.MaxValue), (byte)'{']), ["header-too-large @ adapter_model.safetensors"]),
        new("an unknown element type", () => new CaseFiles().Weights(File($"{{{Entry("a", "F7", "1", 0, 1)}}}", 1)), ["header-invalid @ a"]),
        new("a tensor twice", () => new CaseFiles().Weights(File($"{{{Entry("a", "U8", "1", 0, 1)},{Entry("a", "U8", "1", 0, 1)}}}", 1)), ["header-duplicate @ a"]),
        new("tensors overlap", () => new CaseFiles().Weights(File($"{{{Entry("a", "U8", "2", 0, 2)},{Entry("b", "U8", "2", 1, 3)}}}", 3)), ["offsets-invalid @ b"]),
        new("offsets out of range", () => new CaseFiles().Weights(File($"{{{Entry("a", "U8", "2", 0, 2)}}}", 1)), ["truncated @ a"]),
        new("several faults in the header", () => new CaseFiles().Weights(File($"{{{Entry("a", "F7", "1", 0, 1)},{Entry("b", "U8", "1", 1, 3)}}}", 4)),
            ["header-invalid @ a", "offsets-invalid @ b", "trailing-bytes @ adapter_model.safetensors"]),
        new("truncated", () => new CaseFiles().Weights(whole => whole[..^1]), [$"truncated @ {B1}"]),
        new("truncated in the header", () => new CaseFiles().Weights(whole => whole[..40]), ["truncated @ adapter_model.safetensors"]),
        new("trailing bytes", () => new CaseFiles().Weights(whole => [.. whole, 0]), ["trailing-bytes @ adapter_model.safetensors"]),
        new("a long name", () => new CaseFiles().Tensor(new string('n', 2000), [1]), ["limit-exceeded @ adapter_model.safetensors"]),
        new("no tensors", () => new CaseFiles().Without(A, B, A1, B1), ["no-modules @ adapter_model.safetensors"]),
        new("NaN in a factor", () => new CaseFiles().Tensor(A, [2, 3], double.NaN), [$"non-finite @ {A}"]),
        new("infinity in half precision", () => new CaseFiles().Tensor(B1, [4, 2], double.NegativeInfinity, TensorType.F16), [$"non-finite @ {B1}"]),
        new("NaN in a head", () => new CaseFiles().Tensor("base_model.model.head.weight", [2, 2], double.NaN, TensorType.BF16).Set("modules_to_save", """["head"]"""),
            ["non-finite @ base_model.model.head.weight", "saved-modules @ base_model.model.head.weight"]),
        new("tensors nobody knows", () => new CaseFiles().Tensor("l.0.q.lora_A.weight", [2, 3]).Tensor("base_model.model.l.0.q.lora_A.default.weight", [2, 3])
            .Tensor("base_model.model.l.0.q.hada_w1_a", [2, 3]).Tensor("base_model.model.l\n.q.lora_A.weight", [2, 3]).Tensor("base_model.model.emb.trainable_tokens_delta", [2, 3]),
            [
                "unknown-tensor @ base_model.model.l\n.q.lora_A.weight", "unknown-tensor @ base_model.model.emb.trainable_tokens_delta", "unknown-tensor @ base_model.model.l.0.q.hada_w1_a",
                "unknown-tensor @ base_model.model.l.0.q.lora_A.default.weight", "unknown-tensor @ l.0.q.lora_A.weight",
            ]),
        new("two kinds of factors on one module", () => new CaseFiles().Tensor("base_model.model.l.0.q.lora_embedding_A", [2, 3]),
            ["unknown-tensor @ base_model.model.l.0.q.lora_embedding_A"]),
        new("a saved module", () => new CaseFiles().Tensor("base_model.model.pre_head.dense.weight", [2, 2]).Tensor("base_model.model.head.bias", [2])
            .Set("modules_to_save", """["head"]"""), ["saved-modules @ base_model.model.head.bias"]),
        new("a head that is not declared", () => new CaseFiles().Tensor("base_model.model.score.weight", [2, 2]).Tensor("base_model.model.norm.bias", [2]),
            ["undeclared-saved-module @ base_model.model.norm.bias", "undeclared-saved-module @ base_model.model.score.weight"]),
        new("all biases", () => new CaseFiles().Set("bias", (JsonNode)"all").Tensor("base_model.model.norm.bias", [2]).Tensor("base_model.model.l.0.q.base_layer.bias", [4]),
            ["bias-tensors @ base_model.model.l.0.q.base_layer.bias"]),
        new("biases of the modules only", () => new CaseFiles().Set("bias", (JsonNode)"lora_only").Tensor("base_model.model.norm.bias", [2])
            .Tensor("base_model.model.l.0.q.base_layer.bias", [4]),
            ["bias-tensors @ base_model.model.l.0.q.base_layer.bias", "undeclared-saved-module @ base_model.model.norm.bias"]),
        new("trained tokens", () => new CaseFiles().Set("trainable_token_indices", "[3]").Tensor("base_model.model.emb.token_adapter.trainable_tokens_delta", [1, 3]),
            ["trained-tokens @ base_model.model.emb.token_adapter.trainable_tokens_delta"]),

        // Modules
        new("A without B", () => new CaseFiles().Without(B), [$"a-without-b @ {A}"]),
        new("B without A", () => new CaseFiles().Without(A1), [$"b-without-a @ {B1}"]),
        new("another rank", () => new CaseFiles().Tensor(A, [3, 3]).Tensor(B, [4, 3]), [$"rank-mismatch @ {A}"]),
        new("a rank by pattern that is not there", () => new CaseFiles().Set("rank_pattern", """{"l.1.q":3}"""), [$"rank-mismatch @ {A1}"]),
        new("shapes that do not chain", () => new CaseFiles().Tensor(B, [4, 3]), [$"shape-mismatch @ {B}"]),
        new("transposed factors", () => new CaseFiles().Tensor(A, [3, 2]).Tensor(B, [2, 4]), [$"rank-mismatch @ {A}", $"shape-mismatch @ {B}"]),
        new("a factor of one dimension", () => new CaseFiles().Tensor(A, [2]), [$"shape-mismatch @ {A}"]),
        new("a factor without elements", () => new CaseFiles().Tensor(A, [2, 0]), [$"shape-mismatch @ {A}", $"zero-module @ {A}"]),
        new("half a convolution", () => new CaseFiles().Tensor(A, [2, 3, 1, 1]), [$"shape-mismatch @ {B}"]),
        new("a kernel in B", () => new CaseFiles().Tensor(A, [2, 3, 2, 2]).Tensor(B, [4, 2, 2, 2]), [$"shape-mismatch @ {B}"]),
        new("integer factors", () => new CaseFiles().Tensor(A, [2, 3], type: TensorType.I8), [$"type-unsupported @ {A}"]),
        new("a module that is not in the configuration", () => new CaseFiles().Tensor("base_model.model.l.0.k.lora_A.weight", [2, 3])
            .Tensor("base_model.model.l.0.k.lora_B.weight", [4, 2]), ["lora-not-in-config @ base_model.model.l.0.k.lora_A.weight"]),
        new("a layer that is not in the configuration", () => new CaseFiles().Set("layers_to_transform", "[1]").Without(A, B, A1, B1)
            .Tensor("base_model.model.m.l.0.q.lora_A.weight", [2, 3]).Tensor("base_model.model.m.l.0.q.lora_B.weight", [4, 2])
            .Tensor("base_model.model.m.l.1.q.lora_A.weight", [2, 3]).Tensor("base_model.model.m.l.1.q.lora_B.weight", [4, 2]),
            ["lora-not-in-config @ base_model.model.m.l.0.q.lora_A.weight"]),
        new("DoRA", () => new CaseFiles().Set("use_dora", true).Tensor(Magnitude, [4]).Tensor(Magnitude1, [4]), ["dora @ $.use_dora"]),
        new("DoRA without a vector", () => new CaseFiles().Set("use_dora", true).Tensor(Magnitude, [4]), [$"part-missing @ {B1}", "dora @ $.use_dora"]),
        new("DoRA with a short vector", () => new CaseFiles().Set("use_dora", true).Tensor(Magnitude, [3]).Tensor(Magnitude1, [4]),
            [$"shape-mismatch @ {Magnitude}", "dora @ $.use_dora"]),
        new("DoRA that is not in the configuration", () => new CaseFiles().Tensor(Magnitude, [4]), [$"lora-not-in-config @ {Magnitude}"]),
        new("factor biases", () => new CaseFiles().Set("lora_bias", true).Tensor(FactorBias, [4]).Tensor(FactorBias1, [4]), ["lora-bias @ $.lora_bias"]),
        new("a factor bias is missing", () => new CaseFiles().Set("lora_bias", true).Tensor(FactorBias, [4]), [$"part-missing @ {B1}", "lora-bias @ $.lora_bias"]),
        new("a factor bias of another length", () => new CaseFiles().Set("lora_bias", true).Tensor(FactorBias, [5]).Tensor(FactorBias1, [4]),
            [$"shape-mismatch @ {FactorBias}", "lora-bias @ $.lora_bias"]),
        new("a factor bias that is not in the configuration", () => new CaseFiles().Tensor(FactorBias, [4]), [$"lora-not-in-config @ {FactorBias}"]),
        new("untrained", () => new CaseFiles().Tensor(B, [4, 2], 0).Tensor(B1, [4, 2], -0.0), ["untrained @ adapter_model.safetensors"]),
        new("half trained", () => new CaseFiles().Tensor(B, [4, 2], 0), [$"zero-module @ {B}"]),
        new("zero A", () => new CaseFiles().Tensor(A, [2, 3], 0), [$"zero-module @ {A}"]),
        new("an extreme norm", () => new CaseFiles().Tensor(A, [2, 3], 50), [$"extreme-norm @ {B}"]),
        new("an extreme scaling", () => new CaseFiles().Set("lora_alpha", 1000), [$"extreme-norm @ {B}", $"extreme-norm @ {B1}"]),
        new("a scaling that overflows", () => new CaseFiles().Set("lora_alpha", 1e308).Tensor(A, [2, 3], 1e30, TensorType.F64).Tensor(A1, [2, 3], 1e30, TensorType.F64),
            [$"extreme-norm @ {B}", $"extreme-norm @ {B1}"]),
        new("everything at once", () => new CaseFiles().Set("r", 4).Set("base_model_name_or_path", (JsonNode)"./x").Tensor(A, [2, 3], double.NaN).Without(B1)
            .Tensor("x", [1]).File("/x"),
            [
                "path-invalid @ /x", "base-unresolved @ $.base_model_name_or_path", $"non-finite @ {A}", "unknown-tensor @ x", $"a-without-b @ {A1}",
                $"rank-mismatch @ {A}", $"rank-mismatch @ {A1}",
            ]),
        new("one fault many times", () => Enumerable.Range(0, 50).Aggregate(new CaseFiles(), (files, i) => files.Tensor($"x{i:00}", [1])),
            ["unknown-tensor @ x00", "unknown-tensor @ x01", "unknown-tensor @ x02"], new ValidationLimits(IssuesPerCode: 3)),
    ];

    /// <summary>The issues of a report in the form in which cases expect them.</summary>
    public static IEnumerable<string> Written(ValidationReport report) => report.Issues.Select(i => $"{i.Code} @ {i.Path}");

    public static ValidationReport Run(ValidationCase @case, params string[] without) =>
        AdapterValidator.Validate(@case.Files().Files(), new ValidationOptions(Limits: @case.Limits), without.ToHashSet(StringComparer.Ordinal));

    /// <summary>Weights whose header has exactly that many bytes.</summary>
    private static byte[] Padded(int length)
    {
        var tensors = new[] { (A, "2,3", 24), (B, "4,2", 32), (A1, "2,3", 24), (B1, "4,2", 32) };
        var (entries, end) = (new List<string>(), 0L);
        foreach (var (name, shape, bytes) in tensors)
            entries.Add(Entry(name, "F32", shape, end, end += bytes));
        var data = new byte[end];
        data.AsSpan().Fill(0x3F);
        return File(Encoding.UTF8.GetBytes($"{{{string.Join(',', entries)}}}".PadRight(length)), data);
    }
}
