using Marketplace.Core;

namespace Marketplace.Storage.Jobs;

/// <summary>Whether the inputs of a job are still there, before it does its work. Whoever commits a version of it looks again.</summary>
public static class JobInputs
{
    /// <summary>Returns if none was taken down or deleted.</summary>
    /// <exception cref="JobFailureException">One was.</exception>
    public static async Task CheckAsync(MarketplaceStorage storage, IEnumerable<ResolvedInput> inputs, CancellationToken cancellationToken)
    {
        foreach (var (id, number) in inputs.Select(i => (AdapterId.Parse(i.Adapter), i.Number)).Distinct())
        {
            var row = await storage.Adapters.GetRowAsync(id, cancellationToken);
            if (row is { Takedown: not null })
                throw TakenDown(id);
            if (row?.Has(number) == false)
                throw Deleted(id);
        }
    }

    internal static JobFailureException TakenDown(AdapterId input) => new("input-taken-down", $"'{input}' was taken down; nothing is made from it.");

    internal static JobFailureException Deleted(AdapterId input) => new("input-gone", $"'{input}' was deleted; nothing is made from it.");
}
