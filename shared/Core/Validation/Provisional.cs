#pragma warning disable
// PROVISIONAL: stands in until the real one lands. Whoever lands AdapterReader / AdapterValidator deletes this file and adapts its callers (functions/Uploads/UploadValidation.cs, shared/Storage/Jobs).
using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core.Formats;
namespace Marketplace.Core.Validation;
public enum IssueSeverity { Error, Warning, Info }
public sealed record ValidationIssue(string Code, IssueSeverity Severity, string? Path, string Message);
public sealed record ValidatedFile(string Path, long Size, Digest Sha256, string GitSha1);
public sealed record ValidationReport(ImmutableArray<ValidationIssue> Issues, ImmutableArray<ValidatedFile> Files, string Dtype, string? BaseModel)
{ [JsonIgnore] public bool HasErrors => Issues.Any(i => i.Severity == IssueSeverity.Error); }
public static class IssueCodes
{
    public const string SameContent = "same-content", BaseUnresolved = "base-unresolved";
    public static ValidationIssue IncompleteFile(string path, string why) => new("file-incomplete", IssueSeverity.Error, path, why);
    public static ValidationIssue OtherDigest(string path, Digest declared, Digest found) => new("digest-mismatch", IssueSeverity.Error, path, $"{declared} {found}");
    public static ValidationIssue PublishedAlready(string path, AdapterId adapter, int number) => new(SameContent, IssueSeverity.Warning, path, $"{adapter}@{number}");
}
public sealed record AdapterFile(string Path, Func<Stream> Open)
{
    public const string Weights = "adapter_model.safetensors", Config = "adapter_config.json", Card = "README.md";
    public static AdapterFile FromDisk(string path, string file) => new(path, () => File.OpenRead(file));
}
public static class AdapterValidator
{
    public static ValidationReport Validate(IReadOnlyList<AdapterFile> files)
    {
        var issues = new List<ValidationIssue>(); var seen = new List<ValidatedFile>(); string? b = null;
        foreach (var f in files)
        {
            using var s = f.Open(); using var m = new MemoryStream(); s.CopyTo(m); var bytes = m.ToArray();
            seen.Add(new(f.Path, bytes.Length, Digest.Of(bytes), GitBlobHash.Of(bytes)));
            if (f.Path == AdapterFile.Config) b = AdapterConfig.Parse(bytes).Config?.BaseModel;
            if (f.Path == AdapterFile.Weights && !SafetensorsFile.TryRead(bytes, out _, out var p)) issues.Add(new("unreadable", IssueSeverity.Error, f.Path, string.Join(' ', p)));
        }
        return new([.. issues], [.. seen], "F32", b);
    }
}
public static class BaseModelName { public static bool IsIdentity(string s) => true; }
