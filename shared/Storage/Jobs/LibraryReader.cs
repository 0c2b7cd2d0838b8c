using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Storage.Jobs;

/// <summary>Opens published adapters by the digests of their files.</summary>
public sealed class LibraryReader(ContentCache cache)
{
    /// <summary>Opens an input of a job.</summary>
    /// <exception cref="JobFailureException">Its bytes are gone.</exception>
    public Task<Adapter> OpenAsync(ResolvedInput input, CancellationToken cancellationToken) =>
        OpenAsync(Digest.Parse(input.Config), Digest.Parse(input.Weights), $"{input.Adapter}@{input.Number}", cancellationToken);

    /// <summary>Opens a member of a library.</summary>
    /// <exception cref="JobFailureException">Its bytes are gone.</exception>
    public Task<Adapter> OpenAsync(LibraryMember member, CancellationToken cancellationToken) =>
        OpenAsync(member.Config, member.Weights, $"{member.Adapter}@{member.Version.Number}", cancellationToken);

    /// <summary>Opens adapters one after the other; disposing the list closes them.</summary>
    public async Task<OpenAdapters> OpenAllAsync(IEnumerable<ResolvedInput> inputs, CancellationToken cancellationToken)
    {
        var opened = new OpenAdapters();
        try
        {
            foreach (var input in inputs)
            {
                opened.Add(await OpenAsync(input, cancellationToken));
                opened.FactorTypes.UnionWith(await FactorTypesAsync(input, cancellationToken));
            }

            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    private async Task<IEnumerable<TensorType>> FactorTypesAsync(ResolvedInput input, CancellationToken cancellationToken)
    {
        using var file = SafetensorsFile.Open((await cache.GetAsync(Digest.Parse(input.Weights), cancellationToken))!);
        return [.. file.Tensors.Where(t => t.Name.Contains(".lora_", StringComparison.Ordinal)).Select(t => t.Type).Distinct()];
    }

    private async Task<Adapter> OpenAsync(Digest config, Digest weights, string name, CancellationToken cancellationToken)
    {
        var configPath = await cache.GetAsync(config, cancellationToken);
        var weightsPath = await cache.GetAsync(weights, cancellationToken);
        return configPath is null || weightsPath is null
            ? throw new JobFailureException("input-gone", $"The bytes of '{name}' are no longer stored.")
            : AdapterReader.Open(configPath, weightsPath);
    }
}

/// <summary>Open adapters, closed together.</summary>
public sealed class OpenAdapters : List<Adapter>, IDisposable
{
    /// <summary>Element types of their factors.</summary>
    public HashSet<TensorType> FactorTypes { get; } = [];

    /// <inheritdoc/>
    public void Dispose() => ForEach(a => a.Dispose());
}
