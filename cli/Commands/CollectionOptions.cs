using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary>Options of the commands that make many versions and a collection of them.</summary>
internal static class CollectionOptions
{
    public static readonly Option<string?> Collection = new("--collection") { Description = "Name of the collection of results: owner/name, or a name in your account" };

    public static readonly Option<string?> Pattern = new("--pattern")
    {
        Description = "Names of the results: {name}-residual with {name} and {owner} of the target, {collection}-{cluster} for clusters, if absent",
    };

    /// <summary>Where the results go.</summary>
    public static async Task<CollectionOutputRequest> Read(Call call, MarketplaceClient client, CancellationToken ct)
    {
        if (call.Get(Collection) is not { } name)
            throw CliException.Usage("Many results need a collection: --collection.");
        return new((await client.ResolveOwnName(name, ct)).ToString(), call.Get(Pattern), call.Get(DerivedOptions.Private));
    }
}
