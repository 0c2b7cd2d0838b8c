using System.Collections.Immutable;
using Marketplace.Storage;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hosting.Worker;

/// <summary>Tells the host which functions there are: those of <see cref="FunctionBindings"/>.</summary>
internal sealed class TableMetadata(MarketplaceStorage storage, IOptions<MarketplaceOptions> options) : IFunctionMetadataProvider
{
    private static readonly string App = Path.GetFileName(typeof(TableMetadata).Assembly.Location);

    public Task<ImmutableArray<IFunctionMetadata>> GetFunctionMetadataAsync(string directory) =>
        Task.FromResult(FunctionBindings.All(storage, options.Value).Select(Describe).ToImmutableArray());

    private static IFunctionMetadata Describe(BoundFunction function) => new DefaultFunctionMetadata
    {
        Name = function.Name,
        Language = "dotnet-isolated",
        ScriptFile = App,
        EntryPoint = $"{typeof(EntryPoints).FullName}.{EntryPoint(function.Trigger)}",
        RawBindings = [.. function.Bindings],
    };

    private static string EntryPoint(FunctionTrigger trigger) => trigger switch
    {
        FunctionTrigger.Http => nameof(EntryPoints.Http),
        FunctionTrigger.Queue => nameof(EntryPoints.Queue),
        FunctionTrigger.Timer => nameof(EntryPoints.Timer),
        _ => throw new ArgumentOutOfRangeException(nameof(trigger), trigger, null),
    };
}
