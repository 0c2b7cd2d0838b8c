using System.Text;
using Marketplace.Core;
using Marketplace.Core.Evaluation;
using Marketplace.Storage;

namespace Marketplace.Tests.Evaluation;

/// <summary>Results as the kernels store them, from predictions that were measured.</summary>
internal static class StoredEvaluations
{
    public const string Settings = """{"dtype":"F32"}""";

    /// <summary>Stores the result of a subject on the newest version of a set.</summary>
    public static async Task<EvaluationResultRecord> PutAsync(
        MarketplaceStorage storage, string setName, string baseModel, EvaluationSubject subject, Predictions predictions, string owner = "ann", int candidates = 1, string jobId = "00")
    {
        var version = (await storage.EvaluationSets.GetAsync(AdapterId.Parse(setName)))!.Main!;
        var set = await storage.EvaluationSets.ReadAsync(version.Digest);
        var result = new EvaluationResultRecord(
            new EvaluationKey(baseModel, Digest.Of("weights"u8), subject.Digest, AdapterId.Parse(setName), version.Digest, Digest.Of(Encoding.UTF8.GetBytes(Settings))),
            subject, version.Number, Settings, Scores.Compute(set, predictions), set.Items.Length, candidates, owner, jobId, "2 cpu", DateTimeOffset.UtcNow);
        await storage.EvaluationResults.PutAsync(result, predictions);
        return result;
    }

    /// <summary>A subject that is one published adapter.</summary>
    public static async Task<EvaluationSubject> AdapterAsync(MarketplaceStorage storage, string name)
    {
        var adapter = (await storage.Adapters.GetAsync(AdapterId.Parse(name)))!;
        return new AdapterSubject($"{adapter.Id}@{adapter.Main!.Number}", adapter.Main.Id);
    }
}
