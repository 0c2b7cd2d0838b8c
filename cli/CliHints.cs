namespace Marketplace.Cli;

/// <summary>Advice that several commands give.</summary>
internal static class CliHints
{
    public const string Start =
        "Start one on this machine with `marketplace up` (from the sources: `dotnet run --project cli -- up`), " +
        "or name another with --url or MARKETPLACE_URL.";

    public const string Key =
        "Give an API key with --key or MARKETPLACE_KEY. `marketplace up` prints one; `marketplace keys create` makes more.";
}
