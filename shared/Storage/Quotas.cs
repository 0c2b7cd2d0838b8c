namespace Marketplace.Storage;

/// <summary>What an account may use.</summary>
public sealed record Quotas
{
    /// <summary>The configuration section, shared with the rates.</summary>
    public const string Section = "Marketplace:Limits";

    /// <summary>Bytes of all versions, each counted in full even where versions share files.</summary>
    public long Bytes { get; set; } = 500L << 30;

    /// <summary>Adapters.</summary>
    public int Adapters { get; set; } = 20_000;

    /// <summary>Uploads that are open or in validation.</summary>
    public int Uploads { get; set; } = 500;

    /// <summary>Keys that work.</summary>
    public int Keys { get; set; } = 200;

    /// <summary>Jobs that wait or run; null for the limit that the functions have for all.</summary>
    public int? Jobs { get; set; }

    /// <summary>Bytes of evaluation sets, equal versions of a set counted once.</summary>
    public long EvaluationSetBytes { get; set; } = 4L << 30;
}

/// <summary>What an admin has set for one account; null leaves what holds for all.</summary>
public sealed record QuotaOverrides(
    long? Bytes = null, int? Adapters = null, int? Uploads = null, int? Keys = null, int? Jobs = null, long? EvaluationSetBytes = null)
{
    /// <summary>The quotas with these in place.</summary>
    public Quotas Over(Quotas all) => all with
    {
        Bytes = Bytes ?? all.Bytes,
        Adapters = Adapters ?? all.Adapters,
        Uploads = Uploads ?? all.Uploads,
        Keys = Keys ?? all.Keys,
        Jobs = Jobs ?? all.Jobs,
        EvaluationSetBytes = EvaluationSetBytes ?? all.EvaluationSetBytes,
    };
}

/// <summary>Why an account has no room for something.</summary>
/// <param name="Owner">The account.</param>
/// <param name="What">What it would have too much or too many of.</param>
/// <param name="Limit">What it may have.</param>
/// <param name="Used">What it has.</param>
/// <param name="Asked">What would be added.</param>
public sealed record QuotaExcess(string Owner, string What, long Limit, long Used, long Asked)
{
    /// <summary>The numbers in a sentence.</summary>
    public override string ToString() => $"'{Owner}' may have {Limit} {What}; it has {Used}, and this adds {Asked}.";
}
