using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Infrastructure;

/// <summary>The kernels at work with the rights that the template gives them, and no others.</summary>
public sealed class KernelRightsTests(AzuriteFixture azurite)
{
    [Fact]
    public async Task A_merge_needs_no_more_than_the_kernels_may()
    {
        var allowed = (await Bicep.ResourcesAsync("prod"))
            .Where(r => r.Type == "Microsoft.Authorization/roleAssignments" && r["principalId"]!.GetValue<string>().Contains("id-marketplace-kernels", StringComparison.Ordinal))
            .Select(r => Regex.Match(r.Id, "/(containers|queues|tables)/([^/]+)/providers/Microsoft.Authorization")).Where(m => m.Success)
            .Select(m => (Kind: m.Groups[1].Value, Name: m.Groups[2].Value)).ToHashSet();
        var settings = new StackSettings { Kernels = true, KernelsThroughProxy = true, Environment = new Dictionary<string, string> { ["Storage__CreateMissing"] = "false" } };
        await using var stack = await Stack.StartAsync(await azurite.ConnectionStringAsync(), settings);
        await stack.RunAsync(async () =>
        {
            var (used, refused) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());
            using var rights = stack.Proxy.On(_ => true, call =>
            {
                foreach (var (kind, name) in Used(call, stack.Namespace))
                {
                    used.Add($"{kind}/{name}");
                    if (allowed.Contains((kind, name)))
                        continue;
                    refused.Add($"{call.Method} {call.Path}");
                    call.Refuse(403);
                }

                return Task.CompletedTask;
            });

            var owner = await stack.AccountAsync("ann");
            await owner.PublishedAsync("ann/first", StackAdapters.Files(seed: 1));
            await owner.PublishedAsync("ann/second", StackAdapters.Files(seed: 2));
            var job = await owner.PostAsync<JobView>("/merges", new MergeRecipe("linear", [RecipeInput.Of("ann/first"), RecipeInput.Of("ann/second")], new OutputRequest("ann/both")), 202);
            var ended = await owner.EndedAsync(job.JobId);

            Assert.Empty(refused);
            Assert.Equal("succeeded", ended.Status);
            // The proxy saw it all.
            Assert.Empty(new[] { "containers/content", "containers/reports", "queues/kernel-jobs", "tables/jobs", "tables/versions", "tables/audit" }.Except(used));
        });
    }

    // What is not of a known form is taken for a right that nobody has: making a table, for instance, or listing containers.
    private static IEnumerable<(string Kind, string Name)> Used(StackStorageCall call, string prefix)
    {
        var first = call.Path.Split('/', 3)[1];
        if (first == "$batch")
            return Regex.Matches(call.Text, $@"\b{prefix}([a-z]+)\(").Select(m => ("tables", m.Groups[1].Value)).Concat(Regex.Matches(call.Text, $@"POST \S*/{prefix}([a-z]+) ").Select(m => ("tables", m.Groups[1].Value)));
        if (Regex.Match(first, $@"^{prefix}([a-z]+)(\(.*)?$") is { Success: true } table)
            return [("tables", table.Groups[1].Value)];
        if (Regex.Match(first, $"^{prefix}-([a-z-]+)$") is not { Success: true } data)
            return [("service", first)];
        var isQueue = call.Path.Split('/') is [_, _, "messages", ..] || data.Groups[1].Value.StartsWith("kernel-jobs", StringComparison.Ordinal);
        return [(isQueue ? "queues" : "containers", data.Groups[1].Value)];
    }
}
