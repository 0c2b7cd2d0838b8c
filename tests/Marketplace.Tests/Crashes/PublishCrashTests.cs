using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Crashes;

/// <summary>The functions' process killed at every write of a publish, and started again.</summary>
public sealed class PublishCrashTests(PublishCrashTests.Stacks stacks) : IClassFixture<PublishCrashTests.Stacks>
{
    public sealed class Stacks(AzuriteFixture azurite) : CrashStacks(azurite, new StackSettings { FunctionsThroughProxy = true });

    [Theory]
    [MemberData(nameof(CrashStacks.Writes), MemberType = typeof(CrashStacks))]
    public Task A_publish_killed_at_a_write_ends_as_if_undisturbed(Write write) => stacks.BothAsync(async (stack, afterwards) =>
    {
        var files = StackAdapters.Files(seed: 100 + (int)write, card: "Killed");
        var owner = await stack.AccountAsync("ann");
        var ticket = await owner.StageAsync($"ann/killed-{write}", files);
        using (var point = new KillPoint(stack, stack.Functions, write, afterwards))
        {
            await CompleteAsync(owner, ticket.UploadId);
            await point.Killed;
            await stack.StartFunctionsAsync();
        }

        owner = stack.Caller(owner.Key);
        var decided = await owner.DecidedAsync(ticket.UploadId);
        Assert.Equal("published", decided.State);
        var undisturbed = await owner.PublishedAsync($"ann/undisturbed-{write}", files);
        await Aftermath.CheckAsync(stack, owner, decided.Version!, undisturbed, QueueNames.Validations);
    });

    // The process may die before it has answered that the upload is on its way.
    private static async Task CompleteAsync(StackApi owner, string uploadId)
    {
        try
        {
            await owner.SendAsync(HttpMethod.Post, $"/uploads/{uploadId}/complete");
        }
        catch (HttpRequestException)
        {
            return;
        }
    }
}
