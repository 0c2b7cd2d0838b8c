using Xunit;

namespace Marketplace.Tests.Support;

/// <summary>A stack for the tests of one class.</summary>
public abstract class StackFixture : IAsyncLifetime
{
    private readonly AzuriteFixture azurite;
    private readonly StackSettings settings;

    private protected StackFixture(AzuriteFixture azurite, StackSettings settings) => (this.azurite, this.settings) = (azurite, settings);

    internal Stack Stack { get; private set; } = null!;

    public virtual async ValueTask InitializeAsync() => Stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), settings);

    public virtual async ValueTask DisposeAsync()
    {
        if (Stack is not null)
            await Stack.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
