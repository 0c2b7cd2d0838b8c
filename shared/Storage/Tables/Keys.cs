using System.Security.Cryptography;
using System.Text;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>A row's address.</summary>
internal readonly record struct Key(string Partition, string Row);

/// <summary>
/// Every partition and row key. Names are lower-cased here and nowhere else; <c>|</c> separates parts, since no name contains it
/// and <c>/ \ # ?</c> are forbidden in keys. Rows that are read newest first count backwards.
/// </summary>
internal static class Keys
{
    public const string Everybody = "*";

    public static string Lower(string text) => text.ToLowerInvariant();

    public static string Adapter(AdapterId id) => $"{Lower(id.Owner)}|{Lower(id.Name)}";

    public static Key AdapterRow(AdapterId id) => new(Lower(id.Owner), Lower(id.Name));

    public static Key Publisher(string owner) => new(Lower(owner), "publisher");

    public static Key Version(AdapterId id, int number) => new(Adapter(id), Descending(number));

    public static Key Tag(AdapterId id, string tag) => new(Adapter(id), tag);

    public static Key Variant(AdapterId id, string commit) => new(Adapter(id), commit);

    public static Key KeyByToken(string tokenHash) => new("t|" + tokenHash[..2], tokenHash);

    public static string KeysOf(string owner) => "o|" + Lower(owner);

    public static Key KeyOf(string owner, string keyId) => new(KeysOf(owner), keyId);

    /// <summary>Object ids are random: their first digits spread them.</summary>
    public static Key Identity(Identity identity) => new($"{Lower(identity.TenantId)}|{Lower(identity.ObjectId)[..2]}", Lower(identity.ObjectId));

    public static Key Upload(string id) => new(id[..2], id);

    public static Key LfsObject(string owner, Digest oid, string name) => new($"{Lower(owner)}|{oid.Hex[..2]}", $"{oid.Hex}|{name}");

    /// <summary>The partition of an account's objects of a SHA-256, and from where to where in it they are.</summary>
    public static (string Partition, string From, string To) LfsObjectsOf(string owner, Digest oid) => ($"{Lower(owner)}|{oid.Hex[..2]}", oid.Hex + "|", oid.Hex + "}");

    public static string Usage(string owner) => Lower(owner);

    /// <summary>What is looked at together, before all charges: one range, which is one operation.</summary>
    public const string UsageHead = "0|";

    public static Key UsageTotal(string owner) => new(Usage(owner), UsageHead + "total");

    public static Key UsageQuota(string owner) => new(Usage(owner), UsageHead + "quota");

    public static string UsageUploads => UsageHead + "u|";

    public static Key UsageUpload(string owner, string id) => new(Usage(owner), UsageUploads + id);

    public static Key UsageAdapter(AdapterId id) => new(Usage(id.Owner), $"a|{Lower(id.Name)}");

    /// <summary>What an account is charged for; uploads and jobs name versions by ids of any form.</summary>
    public static Key UsageVersion(AdapterId id, string uploadId) => new(Usage(id.Owner), $"v|{Lower(id.Name)}|{Hash(uploadId)[..32]}");

    public static Key UsageDraft(AdapterId id) => new(Usage(id.Owner), $"d|{Lower(id.Name)}");

    public static Key UsageSet(AdapterId id, Digest digest) => new(Usage(id.Owner), $"s|{Lower(id.Name)}|{digest.Hex}");

    /// <summary>From where to where the partitions of an account's adapters, or sets, are.</summary>
    public static (string From, string To) PartitionsOf(string owner) => (Lower(owner) + "|", Lower(owner) + "}");

    public static Key ContentUse(Digest digest, AdapterId id, int number) => new(digest.Hex, $"{Adapter(id)}|{number:D10}");

    public static Key BaseModel(string id) => new("base-model", Model(id));

    public static string RegistrationsOf(string baseModel) => "w|" + Model(baseModel);

    public static Key Registration(string baseModel, int number) => new(RegistrationsOf(baseModel), Descending(number));

    /// <summary>Begins the rows of uses by base models, which no adapter's key begins with.</summary>
    public const string BaseModelUse = "*|";

    /// <summary>Begins the rows of uses by what was committed to a repository and is no version yet, which no adapter's key begins with.</summary>
    public const string RepositoryUse = "+|";

    public static Key ContentUse(Digest digest, AdapterId repository) => new(digest.Hex, RepositoryUse + Adapter(repository));

    public static Key ContentUse(Digest digest, string baseModel, int number) => new(digest.Hex, $"{BaseModelUse}{Model(baseModel)}|{number:D10}");

    public static string Aliases(string owner) => "o|" + Lower(owner);

    /// <summary>From where to where the partitions of everybody's aliases are: every publish asks one of them, so that one alone would bound all.</summary>
    public static (string From, string To) CommonAliases => (Everybody + "|", Everybody + "}");

    /// <summary>Spellings may be paths with any character, so their row key is a hash.</summary>
    public static Key Alias(string? owner, string normalizedSpelling) =>
        Hash(normalizedSpelling) is var hash && owner is null ? new($"{Everybody}|{hash[..2]}", hash) : new(Aliases(owner!), hash);

    /// <summary>Names of modules may be long, so their row key is a hash.</summary>
    public static Key SubspaceCounter(string baseModel, string module, int size) => new(Model(baseModel), Hash($"{module}|{size}"));

    public static Key SubspaceOf(string baseModel, string module, int size, AdapterId adapter) =>
        new(Model(baseModel), $"{Hash($"{module}|{size}")}|{Adapter(adapter)}");

    public static string Model(string baseModel) => Lower(baseModel).Replace('/', '|');

    public static Key Member(string baseModel, AdapterId id) => new(Model(baseModel), Adapter(id));

    public static Key Snapshot(string id) => new("i|" + id[..2], id);

    public static string SnapshotsOf(string baseModel) => "b|" + Model(baseModel);

    public static Key SnapshotOf(string baseModel, DateTimeOffset at, string id) => new(SnapshotsOf(baseModel), $"{Descending(at)}|{id}");

    public static Key Arrival(string snapshotId, AdapterId id) => new(snapshotId, Adapter(id));

    public static Key Collection(AdapterId id) => AdapterRow(id);

    public static Key Descendant(AdapterId parent, int number, AdapterId child, int childNumber) =>
        new(Adapter(parent), $"{number:D10}|{Adapter(child)}|{childNumber:D10}");

    /// <summary>The partition of an adapter's descendants, and from where to where in it those of one version are.</summary>
    public static (string Partition, string From, string To) DescendantsOf(AdapterId parent, int number) => (Adapter(parent), $"{number:D10}|", $"{number:D10}}}");

    /// <summary>Before this row key are what an adapter's partition of descendants, or of notes, has of versions up to a number.</summary>
    public static string After(int number) => $"{number + 1L:D10}";

    public static Key DescendantsComplete => new(Everybody, "complete");

    public static string TaintsOf(AdapterId child) => Everybody + Adapter(child);

    public static Key Taint(AdapterId child, int number, AdapterId root) => new(TaintsOf(child), $"{number:D10}|{Adapter(root)}");

    public static Key TakenDown(AdapterId id) => new(Everybody, Adapter(id));

    public static Key TakenDownBecause(AdapterId root, AdapterId child) => new(Adapter(root), Adapter(child));

    public static Key Deleted(AdapterId id) => new(Everybody, Adapter(id));

    public static string DeletedFrom(string baseModel) => "b|" + Model(baseModel);

    public static Key DeletedFrom(string baseModel, AdapterId id) => new(DeletedFrom(baseModel), Adapter(id));

    public static string EvaluationSetUses(Digest digest) => Everybody + digest.Hex;

    public static Key EvaluationSetUse(Digest digest, AdapterId id, int number) => new(EvaluationSetUses(digest), $"{Adapter(id)}|{Descending(number)}");

    /// <summary>The version that a use's row key names.</summary>
    public static Key EvaluationSetVersionOf(string use) => new(use[..use.LastIndexOf('|')], use[(use.LastIndexOf('|') + 1)..]);

    public static Key Evaluation(string id) => new("i|" + id[..2], id);

    /// <summary>The partition of a set's version, and from where to where in it a base model's results are.</summary>
    public static (string Partition, string From, string To) EvaluationsOf(string baseModel, AdapterId set, Digest digest) =>
        Hash(Model(baseModel)) is var model ? ($"s|{Hash($"{Adapter(set)}|{digest}")}", model + "|", model + "}") : default;

    public static Key EvaluationOf(EvaluationResultRecord result) =>
        EvaluationsOf(result.Key.BaseModel, result.Key.Set, result.Key.SetDigest) is var (partition, from, _) ? new(partition, from + result.Id) : default;

    public static Key Job(string id) => new("j|" + id[..2], id);

    public static string JobsOf(string owner) => "o|" + Lower(owner);

    public static string ActiveJobsOf(string owner) => "a|" + Lower(owner);

    public static Key ActiveJob(string owner, string id) => new(ActiveJobsOf(owner), id);

    public static Key JobOf(string owner, DateTimeOffset at, string id) => new(JobsOf(owner), $"{Descending(at)}|{id}");

    public static Key Secret(string name) => new("secret", name);

    public const int AuditSpread = 16;

    public static string Audit(DateOnly day, int part) => $"{day:yyyyMMdd}|{part:x}";

    public static Key Audit(DateTimeOffset at, string id) =>
        new(Audit(DateOnly.FromDateTime(at.UtcDateTime), Convert.ToInt32(Hash(id)[..1], 16)), $"{Descending(at)}|{id}");

    /// <summary>Between the rows of this moment and later, and those of earlier ones.</summary>
    public static string AuditBefore(DateTimeOffset at) => Descending(at) + "}";

    public static Key Continuation(DateOnly day, string after) => new($"{day:yyyyMMdd}", after);

    public static string AuditDay(DateOnly day) => $"{day:yyyyMMdd}|";

    public static string Descending(int number) => (int.MaxValue - number).ToString("D10");

    public static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    public static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private static string Descending(DateTimeOffset at) => (long.MaxValue - at.UtcTicks).ToString("D19");
}
