using System.Text;
using CsCheck;
using Marketplace.Core;
using Marketplace.Functions.Hub;
using Marketplace.Functions.Hub.Commits;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>What is read of a commit's body, in whatever pieces it arrives.</summary>
public sealed class CommitReaderTests
{
    private static readonly string[] Fragments =
        ["{\"key\":\"header\",\"value\":{}}\n", "\"content\":\"", "\"", "{", "}", ":", "\\", "\\u", "eA==", "\n", "\"key\":\"file\",\"value\":", "\"path\":\"\\ud800\"", "[", ","];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Any_content_in_any_order_and_any_pieces_is_read_as_it_was_written() =>
        Gen.Select(Gen.Byte.Array[0, 400_000], Gen.Int[1, 70_000], Gen.Bool, Gen.Bool).Sample((bytes, piece, contentFirst, escaped) =>
        {
            var base64 = Convert.ToBase64String(bytes);
            if (escaped)
                base64 = base64.Replace("/", "\\/", StringComparison.Ordinal).Replace("+", "\\u002B", StringComparison.Ordinal);
            var members = new[] { $"\"content\": \"{base64}\"", "\"path\":\"a 'content'= \\u00e4.txt\"" };
            if (!contentFirst)
                Array.Reverse(members);
            var body = $"{{\"key\":\"header\",\"value\":{{\"summary\":\"S\"}}}}\r\n\n{{\"key\" :\"file\", \"value\": {{{string.Join(", ", members)},\"encoding\":\"base64\"}}}}";
            using var folder = new TemporaryFolder();
            var (commit, problem) = CommitReader.ReadAsync(new Pieces(Encoding.UTF8.GetBytes(body), piece), folder.Path, 1 << 30, default).GetAwaiter().GetResult();
            Assert.True(commit is not null, problem?.ProblemDetails.Detail);
            var file = Assert.IsType<PutInline>(Assert.Single(commit.Operations));
            Assert.Equal(("a 'content'= ä.txt", bytes.LongLength, Digest.Of(bytes), GitBlobHash.Of(bytes)), (file.Path, file.Size, file.Digest, file.GitSha1));
            Assert.Equal(bytes, File.ReadAllBytes(file.Local));
        }, iter: 60);

    [Fact]
    public void No_bytes_whatever_break_the_reader() =>
        Gen.Select(Gen.Int[0, Fragments.Length - 1].Array[0, 40], Gen.Int[1, 9])
            .Sample((parts, piece) =>
            {
                using var folder = new TemporaryFolder();
                var (commit, problem) = CommitReader.ReadAsync(new Pieces(Encoding.UTF8.GetBytes(string.Concat(parts.Select(i => Fragments[i]))), piece), folder.Path, 1 << 20, default).GetAwaiter().GetResult();
                Assert.True(commit is null != problem is null);
            }, iter: 2_000);

    [Fact]
    public async Task A_file_or_a_line_that_is_too_long_is_refused()
    {
        static async Task<int?> StatusAsync(string body)
        {
            using var folder = new TemporaryFolder();
            return (await CommitReader.ReadAsync(new Pieces(Encoding.UTF8.GetBytes(body), 5_000), folder.Path, 300_000, Ct)).Problem?.StatusCode;
        }

        const string header = "{\"key\":\"header\",\"value\":{}}\n";
        Assert.Null(await StatusAsync(header + $"{{\"key\":\"file\",\"value\":{{\"content\":\"{Convert.ToBase64String(new byte[300_000])}\",\"path\":\"x\"}}}}"));
        Assert.Equal(413, await StatusAsync(header + $"{{\"key\":\"file\",\"value\":{{\"content\":\"{Convert.ToBase64String(new byte[400_000])}\",\"path\":\"x\"}}}}"));
        Assert.Equal(400, await StatusAsync(header + $"{{\"key\":\"deletedFile\",\"value\":{{\"path\":\"{new string('x', 2 << 20)}\"}}}}"));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("node", false)]
    [InlineData("unknown/None; hf_hub/0.36.0; python/3.12.1", false)]
    [InlineData("x; hf_hub/1.19.9", false)]
    [InlineData("x; hf_hub/1.20.0; python/3.14", true)]
    [InlineData("transformers/5.12; hf_hub/1.28.0.dev0; torch/2", true)]
    [InlineData("hf_hub/2.0", true)]
    [InlineData("hf_hub/99999999999.1", false)]
    public void Clients_that_may_have_xet_are_known_by_their_name(string? agent, bool expected) => Assert.Equal(expected, Preupload.HasXet(agent ?? ""));

    [Theory]
    [InlineData("Adapter", false, true, "adapter_config.json", "adapter_model.safetensors", "config.json", "model.safetensors")]
    [InlineData("Draft", false, true, "adapter_config.json")]
    [InlineData("Draft", false, true, "adapter_model.safetensors", "tokenizer.json", "img/a.png")]
    [InlineData("Draft", false, true, "config.json")]
    [InlineData("Draft", false, true)]
    [InlineData("Foreign", false, true, "config.json", "model.safetensors")]
    [InlineData("Foreign", false, true, "model.gguf")]
    [InlineData("Foreign", false, true, "adapter_config.json", "adapter_model.bin")]
    [InlineData("Foreign", true, true, "config.json", "pytorch_model.bin")]
    [InlineData("BaseModel", true, true, "config.json", "model.safetensors")]
    [InlineData("BaseModel", true, false, "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")]
    [InlineData("Draft", true, false, "config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors")]
    [InlineData("Draft", true, true, "model.safetensors")]
    [InlineData("Foreign", true, false, "adapter_config.json", "adapter_model.safetensors")]
    public void Files_are_known_by_their_names(string kind, bool mayBeBaseModel, bool mayBeAdapter, params string[] paths) =>
        Assert.Equal(kind, TreeKinds.Of(paths, mayBeBaseModel, mayBeAdapter).Kind.ToString());

    /// <summary>A body that arrives in pieces.</summary>
    private sealed class Pieces(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
    }
}
