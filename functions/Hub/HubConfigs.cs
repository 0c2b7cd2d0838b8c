using Marketplace.Core;
using Marketplace.Core.Formats;
using Microsoft.Extensions.Caching.Memory;

namespace Marketplace.Functions.Hub;

/// <summary>What configurations say of base model and task, read once for each and kept.</summary>
public sealed class HubConfigs(HubContents contents) : IDisposable
{
    private const int MaxKnown = 20_000;
    private const long MaxBytes = 1 << 20;

    private readonly MemoryCache known = new(new MemoryCacheOptions { SizeLimit = MaxKnown });

    /// <summary>What the revision's configuration says; null if it has none that can be read.</summary>
    internal async Task<HubPeft?> ReadAsync(HubRevision revision, CancellationToken cancellationToken)
    {
        if (revision.Find(RepositoryPath.Config) is not { Size: <= MaxBytes } file)
            return null;
        if (known.TryGetValue(file.Digest, out HubPeft? said))
            return said;
        var config = AdapterConfig.Parse(await contents.ReadAsync(revision, file, cancellationToken)).Config;
        said = config is null ? null : new HubPeft(config.BaseModel, config.TaskType);
        return known.Set(file.Digest, said, new MemoryCacheEntryOptions { Size = 1 });
    }

    /// <inheritdoc/>
    public void Dispose() => known.Dispose();
}
