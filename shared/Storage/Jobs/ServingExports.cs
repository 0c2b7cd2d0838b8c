using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Core.Validation;

namespace Marketplace.Storage.Jobs;

/// <summary>What becomes of the wish for a version as servers load it.</summary>
public abstract record ServingOutcome
{
    private ServingOutcome()
    {
    }

    /// <summary>Its own files are in that form.</summary>
    public sealed record AsStored : ServingOutcome;

    /// <summary>Configuration and weights were rewritten.</summary>
    public sealed record Exported(ImmutableArray<FileView> Files) : ServingOutcome;

    /// <summary>It can't be rewritten without losing something, or not into what servers take.</summary>
    public sealed record Refused(ImmutableArray<ExportProblem> Problems) : ServingOutcome;
}

/// <summary>Versions in the <see cref="ServingProfile"/>, computed once and kept as <see cref="RankedExports"/> keeps smaller ranks: files by their digests, the manifest last.</summary>
public sealed class ServingExports(MarketplaceStorage storage, LibraryReader reader) : IDisposable
{
    private static readonly string[] FileNames = [RepositoryPath.Config, RepositoryPath.Weights];

    private readonly ConcurrentDictionary<string, Lazy<Task<ServingOutcome>>> running = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim turn = new(1); // an adapter of gigabytes is in memory meanwhile

    /// <summary>Where a file is among the derived data of a version's weights.</summary>
    public static string Place(VersionRecord version, string file) => $"{version.Config.Hex}/{file}";

    /// <summary>The version in that form, rewritten if nobody has asked before.</summary>
    /// <param name="version">A version that the caller may see.</param>
    /// <param name="cancellationToken">Ends the waiting; what has begun is finished and stored.</param>
    public async Task<ServingOutcome> GetAsync(VersionRecord version, CancellationToken cancellationToken)
    {
        if (await storage.Derived.ReadAsync(version.Weights, ServingProfile.Version, Manifest(version), cancellationToken) is { } manifest)
            return Of(JsonSerializer.Deserialize<ImmutableArray<FileView>>(manifest, ApiJson.Options));
        var key = $"{version.Weights}/{Manifest(version)}";
        return await running.GetOrAdd(key, _ => new(() => ComputeAsync(key, version))).Value.WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();

    // That its own files will do is kept, too, as a list of none.
    private static ServingOutcome Of(ImmutableArray<FileView> files) => files.IsEmpty ? new ServingOutcome.AsStored() : new ServingOutcome.Exported(files);

    private async Task<ServingOutcome> ComputeAsync(string key, VersionRecord version)
    {
        await turn.WaitAsync();
        try
        {
            var input = new ResolvedInput(version.Adapter.ToString(), version.Number, version.Id, version.Weights.Hex, version.Config.Hex, 1, "input");
            using var opened = await reader.OpenAllAsync([input], CancellationToken.None);
            using var scratch = new ScratchFolder();
            ImmutableArray<FileView> files = [];
            if (!ServingProfile.Has(opened[0], opened.FactorTypes))
            {
                ServingOptions.ResolveType("auto", opened.FactorTypes, out var type);
                var problems = await Task.Run(() => Write(opened[0], type, scratch.Path));
                if (!problems.IsEmpty)
                    return new ServingOutcome.Refused(problems);
                files = await StoreAsync(version, scratch.Path);
            }

            await storage.Derived.PutAsync(version.Weights, ServingProfile.Version, Manifest(version), JsonSerializer.SerializeToUtf8Bytes(files, ApiJson.Options));
            return Of(files);
        }
        finally
        {
            turn.Release();
            running.TryRemove(key, out _);
        }
    }

    // Writes the files and reads them back, as derivations do, and holds them to what servers take.
    private static ImmutableArray<ExportProblem> Write(Adapter adapter, TensorType type, string folder)
    {
        if (!ServingProfile.TryCreate(adapter, type, out var export, out var problems))
            return problems;
        export.Save(folder);
        using var reloaded = AdapterReader.Open(folder);
        return [.. export.Check(reloaded), .. ServingProfile.Check(reloaded)];
    }

    private async Task<ImmutableArray<FileView>> StoreAsync(VersionRecord version, string folder)
    {
        var checks = AdapterValidator.Validate([.. FileNames.Select(n => AdapterFile.FromFile(n, Path.Combine(folder, n)))]);
        var files = checks.ManifestFiles().Select(f => new FileView(f.Path, f.Size, f.Digest.Hex, f.GitSha1)).ToImmutableArray();
        foreach (var file in files)
            await storage.Derived.PutFileAsync(version.Weights, ServingProfile.Version, Place(version, file.Sha256), Path.Combine(folder, file.Path));
        return files;
    }

    private static string Manifest(VersionRecord version) => Place(version, "manifest.json");
}
