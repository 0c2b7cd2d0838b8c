using System.Globalization;
using Marketplace.Core;
using Marketplace.Storage;

namespace Marketplace.Functions.Hub;

/// <summary>Registered base models as repositories that can be read. Each registration is a commit, the newest is <c>main</c>.</summary>
internal static class HubBaseModels
{
    private const int CommitDigits = 40;

    /// <summary>
    /// The commit id of a registration: the first 40 digits of its digest. The digest leaves out how to generate, so that several registrations may have the same; of these the first has it, and each later one the id of
    /// the manifest over its files.
    /// </summary>
    /// <param name="registrations">All of the base model.</param>
    /// <param name="registration">One of them.</param>
    public static string Commit(IEnumerable<BaseModelRegistration> registrations, BaseModelRegistration registration) =>
        registrations.Any(r => r.Number < registration.Number && r.Digest == registration.Digest) ? Manifest(registration).Id : registration.Digest.Hex[..CommitDigits];

    /// <summary>The registration that <c>main</c>, a number or a commit id names; null if none has that name.</summary>
    /// <param name="registrations">All of the base model, newest first.</param>
    /// <param name="revision">The name.</param>
    public static HubRevision? Find(IReadOnlyList<BaseModelRegistration> registrations, string revision) =>
        (HubRepositories.IsMain(revision) ? registrations[0]
            : int.TryParse(revision.StartsWith('v') ? revision[1..] : revision, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? registrations.FirstOrDefault(r => r.Number == number)
            : registrations.FirstOrDefault(r => Commit(registrations, r) == revision)) is { } found
                ? Of(registrations, found) : null;

    /// <summary>A registration as a revision.</summary>
    public static HubRevision Of(IEnumerable<BaseModelRegistration> registrations, BaseModelRegistration registration) =>
        new(Name(registration), Commit(registrations, registration), Manifest(registration).Files, registration.CreatedAt, null)
        {
            Title = registration.Message ?? string.Create(CultureInfo.InvariantCulture, $"Registration {registration.Number}"),
        };

    private static AdapterId Name(BaseModelRegistration registration) => AdapterId.Parse(registration.BaseModel);

    // Git's names of the files are not known, those of pointers to them are: they follow from digest and size.
    private static VersionManifest Manifest(BaseModelRegistration registration) =>
        VersionManifest.Create(registration.Files.Select(f => new ManifestFile(f.Path, f.Digest, f.Size, GitBlobHash.Of(LfsPointer.Of(f.Digest, f.Size)))), null);
}
