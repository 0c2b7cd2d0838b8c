using System.CommandLine;

namespace Marketplace.Cli.Commands;

/// <summary>Options that every command takes.</summary>
internal static class CommonOptions
{
    public static readonly Option<string?> Url = new("--url")
    {
        Description = "Address of the marketplace; MARKETPLACE_URL, or the one that `marketplace up` runs here, if absent",
        HelpName = "address",
        Recursive = true,
    };

    public static readonly Option<string?> Key = new("--key")
    {
        Description = "API key, or an access token where a tenant is trusted; MARKETPLACE_KEY, or that of `marketplace up`, if absent",
        HelpName = "hf_…",
        Recursive = true,
    };

    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Write one JSON document to standard output, and nothing else there",
        Recursive = true,
    };
}
