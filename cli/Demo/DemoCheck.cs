namespace Marketplace.Cli.Demo;

/// <summary>What must hold for the demo to succeed.</summary>
internal static class DemoCheck
{
    /// <summary>Ends the demo unless the statement holds.</summary>
    public static void That(bool holds, string otherwise)
    {
        if (!holds)
            throw new CliException("demo-check", ExitCode.Refused, otherwise);
    }
}
