namespace Marketplace.Tests.Support;

/// <summary>A stack with two accounts that are strangers to each other.</summary>
public abstract class TwoAccountsFixture : StackFixture
{
    private protected TwoAccountsFixture(AzuriteFixture azurite, StackSettings settings)
        : base(azurite, settings)
    {
    }

    internal StackApi Ann { get; private set; } = null!;

    internal StackApi Bob { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        (Ann, Bob) = (await Stack.AccountAsync("ann"), await Stack.AccountAsync("bob"));
    }
}
