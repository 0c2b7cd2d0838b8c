using Xunit;

namespace Marketplace.Tests.Cli;

/// <summary>One <c>marketplace up</c> for the tests of a class, with the account <c>ada</c>.</summary>
public sealed class UpFixture : IAsyncLifetime
{
    internal CliProcess Cli { get; } = new();

    internal RunningUp Up { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Up = await RunningUp.Start(Cli, "--owner", "ada");

    public async ValueTask DisposeAsync()
    {
        if (Up is not null)
            await Up.DisposeAsync();
        Cli.Dispose();
    }
}
