using System.Collections.Concurrent;
using System.Globalization;
using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Storage.Jobs;

/// <summary>A base model on the local disk.</summary>
/// <param name="Folder">Laid out as transformers does.</param>
/// <param name="Digest">Digest of configuration, weights and tokenizer.</param>
public sealed record LocalBaseModel(string Folder, Digest Digest);

/// <summary>
/// From a base model's id to a folder with its files. The mounted folder comes first, whatever its files are called elsewhere; then the registration, whose files are fetched once into a folder
/// named by their digest. What was hashed is remembered by sizes and times of last writing, since a mounted model may have many gigabytes.
/// </summary>
/// <param name="registrations">Registered files.</param>
/// <param name="content">Their bytes.</param>
/// <param name="mounted">Where models are mounted.</param>
/// <param name="folder">Where fetched models and remembered digests are kept.</param>
/// <param name="maxBytes">Bytes of fetched models that are kept; those used least recently go first.</param>
public sealed class BaseModelFiles(RegistrationStore registrations, ContentStore content, BaseWeightsFolder mounted, string folder, long maxBytes)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly ConcurrentDictionary<string, SemaphoreSlim> locks = new(StringComparer.Ordinal);

    /// <summary>The model's folder; null where it is neither mounted nor registered, or not with those bytes.</summary>
    /// <param name="baseModel">Its id.</param>
    /// <param name="digest">What its files must be; null takes what is mounted, else the newest registration.</param>
    /// <param name="ct">Stops.</param>
    /// <exception cref="JobFailureException">A registered file is gone from storage.</exception>
    public async Task<LocalBaseModel?> FindAsync(string baseModel, Digest? digest, CancellationToken ct)
    {
        if (mounted.Find(baseModel) is { } found && await Task.Run(() => DigestOf(found), ct) is { } present && (digest is null || present == digest))
            return new(found, present);
        var registration = digest is { } wanted ? await registrations.FindAsync(baseModel, wanted, ct) : await registrations.NewestAsync(baseModel, ct);
        return registration is null ? null : new(await FetchAsync(registration, ct), registration.Digest);
    }

    // Null for a folder without any file of a model.
    private Digest? DigestOf(string model)
    {
        var names = BaseModelManifest.FilesIn(model);
        if (names.IsEmpty)
            return null;
        var state = string.Join('\n', names.Select(n => new FileInfo(Path.Combine(model, n))).Select(Real).Select(f =>
            string.Create(CultureInfo.InvariantCulture, $"{f.FullName} {f.Length} {f.LastWriteTimeUtc.Ticks}")).Prepend(model));
        var key = Digest.Of(System.Text.Encoding.UTF8.GetBytes(state)).Hex;
        var memory = Path.Combine(Make(Path.Combine(folder, "digests")), key);
        if (File.Exists(memory) && Digest.TryParse(File.ReadAllText(memory), out var known))
            return known;
        var digest = BaseModelManifest.OfFolder(model).Digest;
        var partial = $"{memory}.{Keys.NewId()}";
        File.WriteAllText(partial, digest.Hex);
        File.Move(partial, memory, overwrite: true);
        return digest;
    }

    // The Hub's cache is made of links; size and time are those of what they lead to.
    private static FileInfo Real(FileInfo file) => file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? file;

    private async Task<string> FetchAsync(BaseModelRegistration registration, CancellationToken ct)
    {
        // Files that are no part of the digest may differ between registrations of one digest: none that is read does.
        var target = Path.Combine(Make(Path.Combine(folder, "models")), registration.Digest.Hex);
        var gate = locks.GetOrAdd(target, _ => new SemaphoreSlim(1));
        await gate.WaitAsync(ct);
        try
        {
            Make(target);
            Directory.SetLastWriteTimeUtc(target, DateTime.UtcNow);
            var missing = registration.Files.Where(f => new FileInfo(Path.Combine(target, f.Path)) is not { Exists: true } file || file.Length != f.Size).ToList();
            if (missing.Count > 0)
                Trim(target, missing.Sum(f => f.Size));
            // A file takes its name once its digest is right; other processes may be fetching the same ones.
            foreach (var file in missing)
                await content.DownloadAsync(file.Digest, Path.Combine(target, file.Path), ct);
            return target;
        }
        catch (FileNotFoundException e)
        {
            throw new JobFailureException("base-weights-missing", $"Files of registration {registration.Number} of '{registration.BaseModel}' are gone from storage. {e.Message}");
        }
        finally
        {
            gate.Release();
        }
    }

    // Mapped files stay readable on Unix after their names are gone; elsewhere the deletion fails and comes again.
    private void Trim(string keep, long coming)
    {
        var models = new DirectoryInfo(Path.Combine(folder, "models")).GetDirectories().OrderByDescending(d => d.LastWriteTimeUtc).ToList();
        var total = coming;
        foreach (var model in models)
        {
            try
            {
                total += model.EnumerateFiles().Sum(f => f.Length);
                if (total > maxBytes && model.FullName != keep)
                    model.Delete(recursive: true);
            }
            catch (IOException)
            {
                continue;
            }
        }
    }

    private static string Make(string path) =>
        (OperatingSystem.IsWindows() ? Directory.CreateDirectory(path) : Directory.CreateDirectory(path, Private)).FullName;
}
