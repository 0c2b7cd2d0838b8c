using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary>How collections, and the results of the jobs that make them, look to people.</summary>
internal static class CollectionOutput
{
    private const int MostRefused = 20;

    /// <summary>The result of a batch or a build; null for other jobs.</summary>
    public static CollectionResult? Of(JobView job) => job is { Status: "succeeded", Kind: "subtractionBatch" or "libraryBuild", Result: { } result }
        ? Client.ApiConnection.Parse<CollectionResult>(result.GetRawText()) : null;

    /// <summary>What a batch or a build made.</summary>
    public static void Show(IAnsiConsole console, CollectionResult result)
    {
        var residuals = result.General is not null;
        var table = residuals ? Tables.Create("target", "residual", "general", "energy removed") : Tables.Create("cluster", "adapter");
        foreach (var member in result.Members)
        {
            if (residuals)
                table.Row(member.Label, Tables.Name(member.Version), member.General is { } share ? $"{share:0.0%}" : "", member.EnergyRemoved is { } removed ? $"{removed:0.0%}" : "");
            else
                table.Row(member.Label, Tables.Name(member.Version));
        }

        console.Write(table);
        foreach (var refused in result.Refused.Take(MostRefused))
            console.WriteLine($"left out: {refused.Label}: {refused.Reason} ({refused.Code})");
        if (result.Refused.Count > MostRefused)
            console.WriteLine($"… and {result.Refused.Count - MostRefused} more; --json lists all");
        if (result.General is { } general)
        {
            console.WriteLine(
                $"of all targets {general.Share:0.0%} was general ({general.InputShare:0.0%} of what they read, {general.OutputShare:0.0%} of what they write); {general.EnergyRemoved:0.0%} of their energy was removed");
        }

        console.WriteLine($"{result.Members.Count} versions in the collection {result.Collection}");
    }

    /// <summary>A list of collections.</summary>
    public static Table List(IEnumerable<CollectionView> collections)
    {
        var table = Tables.Create("collection", "base model", "made by", "made", "");
        foreach (var c in collections)
            table.Row(c.Id, c.BaseModel, c.MadeBy, Units.Time(c.CreatedAt), c.Private ? "private" : "");
        return table;
    }

    /// <summary>One collection.</summary>
    public static void Show(IAnsiConsole console, CollectionView collection)
    {
        var table = Tables.Create("member", "version");
        foreach (var member in collection.Members ?? [])
            table.Row(member.Label, Tables.Name(member.Version));
        console.Write(table);
        console.WriteLine($"{collection.Id}: {collection.Members?.Count} versions of {collection.BaseModel}, made by {collection.MadeBy} at {Units.Time(collection.CreatedAt)}{(collection.Private ? ", private" : "")}");
        if (collection.JobId is { } job)
            console.WriteLine($"by the job {job}");
    }
}
