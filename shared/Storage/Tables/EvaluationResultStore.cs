using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Azure;
using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;

namespace Marketplace.Storage;

/// <summary>
/// Results of evaluations: predictions as blobs, scores in rows. A result's id follows from what it is the result of, so that two jobs which compute the same write
/// the same. Order: predictions, then the row by id, which makes it exist, then the row in the list of its set and base model. Parts of results that are being computed lie under
/// the job's id.
/// </summary>
public sealed class EvaluationResultStore
{
    private const int SideBySide = 16;
    private const string Parts = "parts/";
    private const string Results = "results/";

    private readonly Table table;
    private readonly BlobContainerClient container;
    private readonly SasSigner signer;
    private readonly TimeProvider clock;
    private readonly EvaluationSetStore sets;
    private readonly AdapterStore adapters;
    private readonly JobStore jobs;

    internal EvaluationResultStore(
        Table table, BlobContainerClient container, SasSigner signer, TimeProvider clock, EvaluationSetStore sets, AdapterStore adapters, JobStore jobs) =>
        (this.table, this.container, this.signer, this.clock, this.sets, this.adapters, this.jobs) = (table, container, signer, clock, sets, adapters, jobs);

    /// <summary>
    /// Stores a finished result, again if it is delivered again. The first one's time, owner and job stay; of the candidates the larger number does, so that a subject which somebody
    /// had evaluated before it was picked from many counts as picked.
    /// </summary>
    /// <param name="result">The result.</param>
    /// <param name="predictions">Of all items of the set.</param>
    /// <param name="ct">Stops.</param>
    public async Task PutAsync(EvaluationResultRecord result, Predictions predictions, CancellationToken ct = default)
    {
        if (predictions.First != 0 || predictions.Items.Length != result.Items)
            throw new ArgumentException("These predictions are not of the whole set.", nameof(predictions));
        var key = Keys.Evaluation(result.Id);
        if (await table.GetAsync(key, ct) is null)
        {
            await Blob(Results, result.Id).UploadAsync(BinaryData.FromBytes(PredictionsFile.Write(predictions)), overwrite: true, ct);
            await table.AddAsync(Write(result, key), ct);
        }

        while (await table.GetAsync(key, ct) is { } row)
        {
            var present = Read(row);
            var more = present.Candidates < result.Candidates;
            var kept = more ? present with { Candidates = result.Candidates } : present;
            if (!more || await table.UpdateAsync(Write(kept, key), row.ETag, ct) == UpdateResult.Updated)
            {
                await table.PutAsync(Write(kept, Keys.EvaluationOf(kept)), ct);
                return;
            }
        }
    }

    /// <summary>The result with that id; null if there is none. Says nothing about who may see it.</summary>
    public async Task<EvaluationResultRecord?> GetAsync(string id, CancellationToken ct = default) =>
        Digest.TryParse(id, out _) && await table.GetAsync(Keys.Evaluation(id), ct) is { } row ? Read(row) : null;

    /// <summary>The result, if it exists for the caller: the set does, and every adapter of the subject.</summary>
    public async Task<EvaluationResultRecord?> GetAsync(string id, Caller caller, CancellationToken ct = default) =>
        await GetAsync(id, ct) is { } result && await sets.GetAsync(result.Key.Set, caller, ct) is not null && (await VisibleAsync([result], caller, ct)).Count == 1 ? result : null;

    /// <summary>The results of a base model on a set's version that exist for the caller, in no particular order.</summary>
    /// <param name="baseModel">The canonical base model.</param>
    /// <param name="set">The set's name.</param>
    /// <param name="digest">The version's digest.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="ct">Stops.</param>
    public async Task<IReadOnlyList<EvaluationResultRecord>> ListAsync(string baseModel, AdapterId set, Digest digest, Caller caller, CancellationToken ct = default)
    {
        if (await sets.GetAsync(set, caller, ct) is null)
            return [];
        var found = new List<EvaluationResultRecord>();
        var (partition, from, to) = Keys.EvaluationsOf(baseModel, set, digest);
        await foreach (var row in table.QueryAsync(Filter.All(Filter.Partition(partition), Filter.Of($"RowKey ge {from} and RowKey lt {to}")), ct))
            found.Add(Read(row));
        return await VisibleAsync(found, caller, ct);
    }

    /// <summary>Reads the predictions of a result.</summary>
    /// <exception cref="FileNotFoundException">There is no such result.</exception>
    public async Task<Predictions> ReadPredictionsAsync(string id, CancellationToken ct = default) =>
        await Blob(Results, id).ReadAsync(ct) is { } bytes ? PredictionsFile.Read(bytes) : throw new FileNotFoundException($"No predictions of {id} are stored.");

    /// <summary>An address from which anybody can read a result's predictions until it expires.</summary>
    public Task<Uri> SignedReadUriAsync(string id, TimeSpan lifetime, CancellationToken ct = default) =>
        signer.SignAsync(Blob(Results, id), BlobSasPermissions.Read, clock.GetUtcNow() + lifetime, SasSigner.Attachment("predictions.safetensors"), ct);

    /// <summary>Keeps a part of a result that a job is computing.</summary>
    public async Task PutPartAsync(string jobId, string resultId, Predictions part, CancellationToken ct = default) =>
        await Part(jobId, resultId, part.Range).UploadAsync(BinaryData.FromBytes(PredictionsFile.Write(part)), overwrite: true, ct);

    /// <summary>The parts that a job has kept of a result, in the set's order; see <see cref="Predictions.Missing"/> and <see cref="Predictions.Join"/>.</summary>
    public async Task<IReadOnlyList<Predictions>> ReadPartsAsync(string jobId, string resultId, CancellationToken ct = default)
    {
        var parts = new List<Predictions>();
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, $"{Parts}{jobId}/{resultId}/", ct))
        {
            if (await container.GetBlobClient(item.Name).ReadAsync(ct) is { } bytes)
                parts.Add(PredictionsFile.Read(bytes));
        }

        return parts;
    }

    /// <summary>Removes the parts of a result once it is stored; what a crash leaves of them is the sweep's.</summary>
    public async Task DeletePartsAsync(string jobId, string resultId, CancellationToken ct = default)
    {
        await foreach (var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, $"{Parts}{jobId}/{resultId}/", ct))
            await container.DeleteBlobIfExistsAsync(item.Name, cancellationToken: ct);
    }

    /// <summary>Deletes every result of a version of a set, of all base models.</summary>
    internal async Task DeleteAllAsync(AdapterId set, Digest digest, CancellationToken ct)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.EvaluationsOf("", set, digest).Partition), ct))
        {
            var id = row.Text("Id");
            await table.DeleteAsync(Keys.Evaluation(id), ETag.All, ct);
            await Blob(Results, id).DeleteIfExistsAsync(cancellationToken: ct);
            await table.DeleteAsync(row.Key(), ETag.All, ct);
        }
    }

    /// <summary>
    /// Removes parts of jobs that are over or gone, and predictions without a row. A job writes predictions shortly before their row, so that old ones without are nobody's.
    /// </summary>
    internal async Task<int> SweepAsync(DateTimeOffset before, CancellationToken ct) =>
        await container.DeleteOldAsync(Parts, async name => await jobs.GetAsync(name[Parts.Length..].Split('/')[0], ct) is not { IsTerminal: false }, before, ct)
        + await container.DeleteOldAsync(Results, async name => await GetAsync(Path.GetFileNameWithoutExtension(name), ct) is null, before, ct);

    // Each adapter's own row is asked once, however many subjects name it.
    private async Task<IReadOnlyList<EvaluationResultRecord>> VisibleAsync(IReadOnlyList<EvaluationResultRecord> results, Caller caller, CancellationToken ct)
    {
        var seen = new ConcurrentDictionary<(AdapterId, int), bool>();
        var named = results.SelectMany(r => r.Subject.Adapters).Select(Version).Distinct();
        await Parallel.ForEachAsync(named, new ParallelOptions { MaxDegreeOfParallelism = SideBySide, CancellationToken = ct }, async (version, stop) =>
            seen[version] = await adapters.GetAsync(version.Adapter, version.Number, stop) is { } adapter && caller.CanSee(adapter));
        return [.. results.Where(r => r.Subject.Adapters.All(a => seen[Version(a)]))];
    }

    // Subjects of results are resolved.
    private static (AdapterId Adapter, int Number) Version(SubjectAdapter adapter) => (adapter.Id, int.Parse(adapter.Adapter[(adapter.Adapter.IndexOf('@') + 1)..], NumberStyles.None, CultureInfo.InvariantCulture));

    private BlobClient Blob(string folder, string id) => container.GetBlobClient($"{folder}{id}.safetensors");

    private BlobClient Part(string jobId, string resultId, ItemRange range) => container.GetBlobClient($"{Parts}{jobId}/{resultId}/{range.First:D8}-{range.End:D8}.safetensors");

    private static TableEntity Write(EvaluationResultRecord result, Key key)
    {
        var row = Rows.New(key);
        row["Id"] = result.Id;
        row["BaseModel"] = result.Key.BaseModel;
        row["BaseDigest"] = result.Key.BaseDigest.Hex;
        row.SetLong("Subject", result.Subject.ToJson());
        row["SubjectDigest"] = result.Key.Subject.Hex;
        row["EvaluationSet"] = result.Key.Set.ToString();
        row["SetNumber"] = result.SetNumber;
        row["SetDigest"] = result.Key.SetDigest.Hex;
        row.SetLong("Settings", result.SettingsJson);
        row["SettingsDigest"] = result.Key.Settings.Hex;
        row.SetLong("Scores", JsonSerializer.Serialize(result.Scores, ApiJson.Options));
        row["Items"] = result.Items;
        row["Candidates"] = result.Candidates;
        row["Owner"] = result.Owner;
        row["JobId"] = result.JobId;
        row["Kernel"] = result.Kernel;
        row["CreatedAt"] = result.CreatedAt;
        return row;
    }

    private static EvaluationResultRecord Read(TableEntity row) => new(
        new EvaluationKey(
            row.Text("BaseModel"), Digest.Parse(row.Text("BaseDigest")), Digest.Parse(row.Text("SubjectDigest")), row.Adapter("EvaluationSet"),
            Digest.Parse(row.Text("SetDigest")), Digest.Parse(row.Text("SettingsDigest"))),
        EvaluationSubject.Parse(row.GetLong("Subject")!), row.Number("SetNumber"), row.GetLong("Settings") ?? "",
        JsonSerializer.Deserialize<ImmutableArray<Score>>(row.GetLong("Scores")!, ApiJson.Options), row.Number("Items"), row.Number("Candidates"), row.Text("Owner"),
        row.Text("JobId"), row.Text("Kernel"), row.Time("CreatedAt"));
}
