using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary>Options of the commands that derive an adapter from others.</summary>
internal static class DerivedOptions
{
    public static readonly Option<string> Output = new("--output", "-o")
    {
        Description = "Name of the result: owner/name, or a name in your account",
        Required = true,
    };

    public static readonly Option<bool> Private = new("--private") { Description = "Only you may see the result" };
    public static readonly Option<int?> Rank = new("--rank") { Description = "Fixed rank of the result" };
    public static readonly Option<double?> Energy = new("--energy") { Description = "Instead: the smallest rank that keeps this share of |ΔW|², such as 0.99" };

    public static readonly Option<string> Dtype = new Option<string>("--dtype") { Description = "auto, F32, BF16 or F16", DefaultValueFactory = _ => "auto" }
        .AcceptOnlyFromAmong("auto", "F32", "BF16", "F16");

    /// <summary>Where the result goes.</summary>
    public static async Task<OutputRequest> ReadOutput(Call call, MarketplaceClient client, CancellationToken ct)
    {
        if (call.Get(Rank) is not null && call.Get(Energy) is not null)
            throw CliException.Usage("--rank and --energy exclude each other.");
        return new OutputRequest((await client.ResolveOwnName(call.Get(Output)!, ct)).ToString(), call.Get(Private));
    }
}
