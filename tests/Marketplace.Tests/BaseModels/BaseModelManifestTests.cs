using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;
using Xunit;
using static Marketplace.Tests.BaseModels.BaseModelFilesOf;

namespace Marketplace.Tests.BaseModels;

public sealed class BaseModelManifestTests
{
    [Fact]
    public void The_digest_follows_configuration_weights_and_tokenizer_and_nothing_else()
    {
        var files = Sample();
        var digest = DigestOf(files);
        Assert.Equal(digest, BaseModelManifest.OfFolder(SampleFolder).Digest.Hex);
        foreach (var name in files.Keys)
        {
            var other = files.ToDictionary(f => f.Key, f => f.Key == name ? [.. f.Value, (byte)' '] : f.Value);
            Assert.Equal(name == "generation_config.json", DigestOf(other) == digest);
        }

        Assert.NotEqual(digest, DigestOf(Sharded()));
    }

    [Fact]
    public void The_canonical_bytes_are_lines_that_anybody_can_compute()
    {
        var manifest = BaseModelManifest.Of([new("model.safetensors", Digest.Of("w"u8), 1), new("generation_config.json", Digest.Of("g"u8), 1), new("config.json", Digest.Of("c"u8), 1)]);
        Assert.Equal($"base-model 1\n{Digest.Of("c"u8)} 1 config.json\n{Digest.Of("w"u8)} 1 model.safetensors\n", System.Text.Encoding.UTF8.GetString(manifest.CanonicalBytes()));
        Assert.Equal(Digest.Of(manifest.CanonicalBytes()), manifest.Digest);
    }

    [Theory]
    [InlineData("config.json", true)]
    [InlineData("model-00001-of-00002.safetensors", true)]
    [InlineData("tokenizer.json", true)]
    [InlineData("pytorch_model.bin", false)]
    [InlineData("README.md", false)]
    [InlineData("a/model.safetensors", false)]
    [InlineData(".hidden.safetensors", false)]
    public void A_base_model_has_files_of_these_names(string name, bool taken) => Assert.Equal(taken, BaseModelManifest.Takes(name));

    [Fact]
    public void Of_a_folder_only_what_would_be_loaded_is_taken()
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, bytes) in Sharded())
            File.WriteAllBytes(Path.Combine(folder.Path, name), bytes);
        File.WriteAllText(Path.Combine(folder.Path, "pytorch_model.bin"), "");
        File.WriteAllText(Path.Combine(folder.Path, "old.safetensors"), "");
        Assert.Equal(
            ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"], BaseModelManifest.FilesIn(folder.Path));
        Assert.Empty(BaseModelInspection.OfFolder(folder.Path).Finish());
        File.WriteAllText(Path.Combine(folder.Path, "model.safetensors"), "");
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], BaseModelManifest.FilesIn(folder.Path));
    }
}
