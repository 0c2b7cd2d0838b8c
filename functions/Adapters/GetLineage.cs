using System.Collections.Immutable;
using Marketplace.Core.Api;
using Marketplace.Core.Lineage;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Adapters;

/// <summary>What a version was made of, and what that was made of, down to trained adapters; as JSON or as a picture.</summary>
public static class GetLineage
{
    private const int MaxLimit = 500;

    public static async Task<Results<Ok<LineageGraph>, ContentHttpResult, ProblemHttpResult>> Handle(
        string owner, string name, string revision, Requester requester, MarketplaceStorage storage, HttpContext context,
        CancellationToken cancellationToken, string? format = null, string? limit = null)
    {
        if (format is not (null or "json" or "svg"))
            return Problems.InvalidRequest("format", "format is json or svg.");
        if (Paging.ParseLimit(limit, MaxLimit) is not { } count)
            return Paging.BadLimit(MaxLimit);
        var (version, problem) = await Lookup.VersionAsync(storage, requester.Caller, owner, name, revision, cancellationToken);
        if (version is null)
            return problem!;

        var walk = new LineageWalk(Describe(version), count);
        while (walk.Next() is (var adapter, var number))
        {
            // What is down keeps its place, for those who could see it, and says so; what it was made of is not told any more.
            var record = await storage.Adapters.GetAsync(adapter, number, cancellationToken);
            var found = record is not null && requester.Caller.MayKnow(record) ? await storage.Versions.GetAsync(adapter, number, cancellationToken) : null;
            walk.Answer(found is null ? null : record!.Takedown is null ? Describe(found) : Describe(found) with { Parents = [], TakenDown = true });
        }

        if (format != "svg")
            return TypedResults.Ok(walk.Graph());
        // A picture that is opened as a page must not be able to do anything.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        return TypedResults.Text(LineageSvg.Render(walk.Graph()), "image/svg+xml");
    }

    private static LineageVersion Describe(VersionRecord version) => new(
        new VersionReference(version.Adapter.ToString(), version.Number, version.Id),
        version.Lineage?.Method,
        version.Lineage is { } lineage ? [.. lineage.Parents.Select(p => new LineageStep(p.Adapter, p.Number, p.Weight, p.Role))] : ImmutableArray<LineageStep>.Empty);
}
