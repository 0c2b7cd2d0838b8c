using System.Security.Cryptography;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Validation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Validation;

public sealed class ValidationReportTests
{
    [Fact]
    public void Every_file_is_described_by_its_size_and_both_hashes()
    {
        var folder = Fixtures.Adapter("llama/plain");
        var report = AdapterValidator.Validate(AdapterFile.FromFolder(folder));
        Assert.Contains(RepositoryPath.Weights, report.Files.Select(f => f.Path));
        foreach (var file in report.ManifestFiles())
        {
            var bytes = File.ReadAllBytes(Path.Combine(folder, file.Path));
            Assert.Equal((Digest.Of(bytes), (long)bytes.Length, GitBlobHash.Of(bytes)), (file.Digest, file.Size, file.GitSha1));
        }

        var without = AdapterValidator.Validate(AdapterFile.FromFolder(folder), new ValidationOptions(GitHashes: false, Norms: false));
        Assert.All(without.Files, f => Assert.Null(f.GitSha1));
        Assert.All(without.Modules, m => Assert.Null(m.Norm));
        Assert.Equal(report.Files.Select(f => f.Sha256), without.Files.Select(f => f.Sha256));
        Assert.Throws<InvalidOperationException>(() => without.ManifestFiles().ToList());
    }

    [Fact]
    public void What_PEFT_wrote_is_accepted_and_its_modules_described()
    {
        foreach (var folder in Fixtures.Adapters)
        {
            var report = AdapterValidator.Validate(Written(folder));
            var accepted = File.ReadAllText(Path.Combine(folder, "expected.json")).Contains("\"accept\"", StringComparison.Ordinal);
            Assert.True(accepted == report.Accepted, $"{folder}: {string.Join(' ', report.Issues)}");
            if (!accepted)
                continue;
            using var adapter = AdapterReader.Open(folder);
            Assert.Equal(adapter.Modules.Select(m => (m.Name, m.Kind, m.Out, m.In, m.Rank, m.Scaling)), report.Modules.Select(m => (m.Name, m.Kind, m.Out, m.In, m.Rank, m.Scaling)));
            Assert.All(report.Modules, m => Assert.Equal(Deltas.Norm(adapter.Delta(m.Name)!), m.Norm!.Value, 9));
            Assert.Equal(adapter.Modules.Sum(m => (long)m.Rank * (m.In + m.Out)), report.Parameters);
        }
    }

    [Fact]
    public void A_report_survives_the_way_through_JSON()
    {
        var report = AdapterValidator.Validate(Written(Fixtures.Adapter("llama/dora")));
        var json = report.ToJson();
        using var document = JsonDocument.Parse(json);
        Assert.True(document.RootElement.GetProperty("accepted").GetBoolean());
        Assert.Equal("info", document.RootElement.GetProperty("issues")[0].GetProperty("severity").GetString());
        Assert.Equal("linear", document.RootElement.GetProperty("modules")[0].GetProperty("kind").GetString());
        Assert.Equal("fixtures/llama", document.RootElement.GetProperty("configuration").GetProperty("baseModelName").GetString());
        Assert.False(document.RootElement.TryGetProperty("config", out _));
        Assert.Equal(json, ValidationReport.FromJson(json).ToJson());
    }

    [Fact]
    public void What_the_service_knows_is_added_afterwards()
    {
        var report = AdapterValidator.Validate(Written(Fixtures.Adapter("llama/plain")));
        var warned = report.With(IssueCodes.AlreadyPublished(RepositoryPath.Weights, AdapterId.Parse("alice/first")));
        Assert.True(warned.Accepted);
        var issue = Assert.Single(warned.Issues);
        Assert.Equal((IssueCodes.SameContent, IssueSeverity.Warning, RepositoryPath.Weights), (issue.Code, issue.Severity, issue.Path));
        Assert.False(report.With(IssueCodes.Issue(IssueCodes.Pickle, "x", "y")).Accepted);
    }

    [Fact]
    public void A_flood_of_issues_says_how_many_it_left_out()
    {
        var report = ValidationCases.Run(ValidationCases.All.Single(c => c.Name == "one fault many times"));
        Assert.EndsWith("(and 47 more like this)", report.Issues[^1].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_of_another_length_than_said_is_not_validated()
    {
        AdapterFile File(long size) => new("x", size, () => new MemoryStream(new byte[100]));
        Assert.ThrowsAny<IOException>(() => AdapterValidator.Validate([File(99)]));
        Assert.ThrowsAny<IOException>(() => AdapterValidator.Validate([File(101)]));
        Assert.Single(AdapterValidator.Validate([File(100)]).Files);
    }

    [Fact]
    public void Folders_are_listed_without_what_git_and_caches_keep()
    {
        using var folder = new TemporaryFolder();
        foreach (var path in new[] { "b/x.txt", "a.txt", ".git/config", "b/.cache/y", ".gitattributes" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder.Path, path))!);
            File.WriteAllText(Path.Combine(folder.Path, path), path);
        }

        Assert.Equal([".gitattributes", "a.txt", "b/x.txt"], AdapterFile.FromFolder(folder.Path).Select(f => f.Path));
    }

    /// <summary>The files that PEFT wrote, without the expectations beside them.</summary>
    private static IReadOnlyList<AdapterFile> Written(string folder) =>
        [.. AdapterFile.FromFolder(folder).Where(f => f.Path is RepositoryPath.Config or RepositoryPath.Weights or "README.md")];
}
