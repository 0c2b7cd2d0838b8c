using Marketplace.Core.Api;
using Marketplace.Core.Validation;

namespace Marketplace.Cli.Publishing;

/// <summary>The service's validator, run here before anything is sent.</summary>
internal static class LocalValidation
{
    /// <summary>All findings about the folder.</summary>
    public static IReadOnlyList<IssueView> Run(PublishFolder folder)
    {
        var report = AdapterValidator.Validate([.. folder.Files.Select(f => new AdapterFile(f.Path, f.Size, () => File.OpenRead(f.FullPath)))]);
        return [.. report.Issues.Select(i => new IssueView(i.Code, i.Severity.ToString().ToLowerInvariant(), i.Path, i.Message))];
    }
}
