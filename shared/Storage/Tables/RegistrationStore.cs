using Azure.Data.Tables;
using Marketplace.Core;
using Marketplace.Core.Formats;

namespace Marketplace.Storage;

/// <summary>
/// Registrations of base models' files, numbered 1, 2, 3 … for each base model. A row is created once and never changed; who takes a number is arbitrated by the creation. Registrations are
/// public, as only admins make them.
/// </summary>
public sealed class RegistrationStore
{
    private readonly Table table;
    private readonly RecentReads<IReadOnlyList<BaseModelRegistration>> recent;

    internal RegistrationStore(Table table, TimeProvider clock)
    {
        (this.table, recent) = (table, new(clock));
        table.Written += key => recent.Forget(new(key.Partition, ""));
    }

    /// <summary>A base model's registrations, newest first.</summary>
    public async Task<IReadOnlyList<BaseModelRegistration>> ListAsync(string baseModel, CancellationToken ct = default)
    {
        var found = new List<BaseModelRegistration>();
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.RegistrationsOf(baseModel)), ct))
            found.Add(Read(row));
        return found;
    }

    /// <summary>The same as it was at most a second ago, and never as it was before a write of this process.</summary>
    public async Task<IReadOnlyList<BaseModelRegistration>> RecentAsync(string baseModel, CancellationToken ct = default) =>
        (await recent.GetAsync(new(Keys.RegistrationsOf(baseModel), ""), async () => await ListAsync(baseModel, CancellationToken.None), keepAbsence: true, ct))!;

    /// <summary>The newest registration, or null.</summary>
    public async Task<BaseModelRegistration?> NewestAsync(string baseModel, CancellationToken ct = default)
    {
        await foreach (var row in table.QueryAsync(Filter.Partition(Keys.RegistrationsOf(baseModel)), ct, pageSize: 1))
            return Read(row);
        return null;
    }

    /// <summary>The registration of that number, or null.</summary>
    public async Task<BaseModelRegistration?> GetAsync(string baseModel, int number, CancellationToken ct = default) =>
        number > 0 && await table.GetAsync(Keys.Registration(baseModel, number), ct) is { } row ? Read(row) : null;

    /// <summary>A registration whose configuration, weights and tokenizer have that digest, or null.</summary>
    public async Task<BaseModelRegistration?> FindAsync(string baseModel, Digest digest, CancellationToken ct = default) =>
        (await ListAsync(baseModel, ct)).FirstOrDefault(r => r.Digest == digest);

    /// <summary>Takes a number; nobody had it before if this answers <see cref="AddResult.Added"/>.</summary>
    public async Task<AddResult> AddAsync(BaseModelRegistration registration, CancellationToken ct = default) =>
        await table.AddAsync(Write(registration), ct) is null ? AddResult.AlreadyExists : AddResult.Added;

    private static TableEntity Write(BaseModelRegistration registration)
    {
        var row = Rows.New(Keys.Registration(registration.BaseModel, registration.Number));
        row["BaseModel"] = registration.BaseModel;
        row["Number"] = registration.Number;
        row["Digest"] = registration.Digest.Hex;
        row["Architecture"] = registration.Architecture;
        row.SetValue("Files", registration.Files.ToArray());
        row["RegisteredBy"] = registration.RegisteredBy;
        row["CreatedAt"] = registration.CreatedAt;
        row.SetLong("Message", registration.Message);
        row["UploadId"] = registration.UploadId;
        return row;
    }

    private static BaseModelRegistration Read(TableEntity row) => new(
        row.Text("BaseModel"), row.Number("Number"), Digest.Parse(row.Text("Digest")), row.Text("Architecture"), [.. row.Value<BaseModelFile[]>("Files") ?? []],
        row.Text("RegisteredBy"), row.Time("CreatedAt"), row.GetLong("Message"), row.Text("UploadId"));
}
