using System.Collections.Immutable;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Marketplace.Functions.Collections;
using Marketplace.Functions.Http;
using Marketplace.Functions.Jobs;
using Marketplace.Storage;
using Marketplace.Storage.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Clusterings;

/// <summary>
/// Asks for a library of one merged adapter for each cluster of a snapshot. MBC trains one adapter on the data of each cluster; where there are no data, the
/// merge of its members stands in for it.
/// </summary>
public static class BuildLibrary
{
    private const string DefaultPattern = "{collection}-{cluster}";
    private const string Equal = "equal";
    private const string Mean = "mean";
    private const string Typical = "typical";
    private const string Single = "linear"; // what a cluster of one is merged by if the method takes more

    public static async Task<Results<Accepted<JobView>, ProblemHttpResult>> Handle(
        string id, BuildLibraryRequest request, Requester requester, MarketplaceStorage storage, JobRequests jobs, CancellationToken cancellationToken)
    {
        if (request.Weights is not (Equal or Mean or Typical))
            return Problems.InvalidRequest("weights", $"Weights are one of: {Equal}, {Mean}, {Typical}.");
        if (request.MaxMembers is < 1)
            return Problems.InvalidRequest("maxMembers", "At least one member goes in.");
        var method = MergeMethods.Find(request.Method);
        var stand = method is null ? 1 : Math.Clamp(2, method.MinInputs, method.MaxInputs);
        var (collection, template, problem) = CollectionRequests.Check(
            requester, request.Output,
            new MergeRecipe(
                request.Method, [.. Enumerable.Range(0, stand).Select(i => new RecipeInput($"input {i}"))], Parameters: request.Parameters, Rank: request.Rank,
                Energy: request.Energy, Dtype: request.Dtype, Seed: request.Seed),
            path => path);
        if (template is null)
            return problem!;
        var (stored, missing) = await SnapshotMembers.FindAsync(storage, requester, id, cancellationToken);
        if (stored is null)
            return missing!;
        var snapshot = GetClustering.View(stored);

        var (items, names) = (ImmutableArray.CreateBuilder<CollectionItem>(), new List<(string Label, AdapterId Name)>());
        var skipped = SnapshotMembers.InNoCluster(stored).ToList();
        foreach (var cluster in snapshot.Clusters)
        {
            var (present, withdrawn) = await SnapshotMembers.PresentAsync(storage, requester, cluster.Members, cancellationToken);
            skipped.AddRange(withdrawn);
            if (Choose(cluster.Name, present, method!, request.MaxMembers, out var members) is { } refused)
            {
                skipped.Add(refused);
                continue;
            }

            var (name, impossible) = NamePattern.Expand(
                request.Output.Pattern ?? DefaultPattern, collection.Owner, new Dictionary<string, string> { ["collection"] = collection.Name, ["cluster"] = cluster.Name });
            if (name is not { } output)
                return Problems.InvalidRequest("output.pattern", impossible!);
            names.Add((cluster.Name, output));
            items.Add(new(
                cluster.Name, output.Name, [.. members.Select(m => new CollectionInput($"{m.Version.Adapter}@{m.Version.Number}", Weight(request.Weights, m, members.Count)))],
                members.Count < method!.MinInputs ? Single : null));
        }

        if (items.Count == 0)
            return Problems.Conflict($"No cluster of the snapshot can be built. {string.Join(' ', skipped.Take(3).Select(s => $"{s.Label}: {s.Reason}"))}");
        if (await CollectionRequests.CheckNamesAsync(storage, names, items.SelectMany(i => i.Inputs).Select(i => i.Version), request.Output.Private, cancellationToken) is { } taken)
            return taken;
        var job = new CollectionJobRequest(
            CollectionJobRequest.Clusters, snapshot.BaseModel, template, collection.ToString(), request.Output.Private, [], items.ToImmutable(), [.. skipped], id);
        return await CollectionRequests.SubmitAsync(jobs, JobKind.LibraryBuild, requester, job, QueueNames.KernelJobs, "id", cancellationToken);
    }

    // The members that go in, or why none do.
    private static RefusedMember? Choose(string cluster, List<ClusterMemberView> present, MergeMethod method, int? most, out List<ClusterMemberView> members)
    {
        members = most is { } limit && present.Count > limit
            ? [.. present.OrderByDescending(m => m.MedoidCosine).ThenBy(m => m.Version.Adapter, StringComparer.Ordinal).Take(limit).OrderBy(m => m.Version.Adapter, StringComparer.OrdinalIgnoreCase)]
            : present;
        return members.Count == 0 ? new(cluster, SnapshotMembers.Unavailable, "None of its members is to be had any more.")
            : members.Count > method.MaxInputs ? new(cluster, MergeProblem.InputsCount, $"It has {members.Count} members, and {method.Name} takes {method.MaxInputs}; maxMembers takes those most like the medoid.")
            : members.Count > 1 && members.Count < method.MinInputs ? new(cluster, MergeProblem.InputsCount, $"It has {members.Count} members, and {method.Name} needs {method.MinInputs}.")
            : null;
    }

    private static double? Weight(string weights, ClusterMemberView member, int count) => weights switch
    {
        Mean => 1d / count,
        Typical => Math.Max(0, member.MedoidCosine),
        _ => null,
    };
}
