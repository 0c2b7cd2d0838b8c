using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>
/// Two stacks side by side: in one a process dies before each write, in the other after it. A process that was started again lives until
/// the next case kills it, so that each case costs one start.
/// </summary>
public abstract class CrashStacks : IAsyncLifetime
{
    private readonly AzuriteFixture azurite;
    private readonly StackSettings settings;

    private protected CrashStacks(AzuriteFixture azurite, StackSettings settings) => (this.azurite, this.settings) = (azurite, settings with
    {
        Environment = new Dictionary<string, string>(settings.Environment)
        {
            // The sweep runs all the time, beside publishes and after crashes.
            ["Marketplace__SweepSchedule"] = "*/2 * * * * *",
            // A process that is killed after seconds need not compile anything twice: a quarter of the time of these tests.
            ["DOTNET_TC_CallCounting"] = "0",
        },
    });

    internal Stack Before { get; private set; } = null!;

    internal Stack After { get; private set; } = null!;

    /// <summary>Every write.</summary>
    public static TheoryData<Write> Writes => [.. Enum.GetValues<Write>()];

    public async ValueTask InitializeAsync()
    {
        var connection = await azurite.ConnectionStringAsync();
        var both = await Task.WhenAll(Stack.StartAsync(connection, settings), Stack.StartAsync(connection, settings));
        (Before, After) = (both[0], both[1]);
        await Task.WhenAll(PrepareAsync(Before), PrepareAsync(After));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var stack in new[] { Before, After }.Where(s => s is not null))
            await stack.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Runs a case in both stacks; the second argument says whether the process dies after the write.</summary>
    internal Task BothAsync(Func<Stack, bool, Task> test) => Task.WhenAll(
        Before.RunAsync(() => test(Before, false)),
        After.RunAsync(() => test(After, true)));

    private protected virtual Task PrepareAsync(Stack stack) => Task.CompletedTask;
}
