namespace Marketplace.Cli.Client;

/// <summary>What to list; absent members do not restrict.</summary>
internal sealed record AdapterFilter(string? Owner = null, string? BaseModel = null, string? Text = null, IReadOnlyList<string>? Tags = null, bool Unlisted = false, bool TakenDown = false)
{
    /// <summary>The route with its query.</summary>
    public string Route
    {
        get
        {
            (string Name, string? Value)[] all =
                [("owner", Owner), ("baseModel", BaseModel), ("q", Text), .. (Tags ?? []).Select(t => ("tag", (string?)t)), ("unlisted", Unlisted ? "true" : null), ("takenDown", TakenDown ? "true" : null)];
            var query = string.Join('&', all.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}"));
            return query.Length == 0 ? "adapters" : $"adapters?{query}";
        }
    }
}
