using System.Diagnostics;
using OpenTelemetry;

namespace Marketplace.Storage.Telemetry;

/// <summary>Goes over every span before an exporter sees it.</summary>
internal sealed class RedactingSpans : BaseProcessor<Activity>
{
    private static readonly HashSet<string> Addresses = new(StringComparer.Ordinal) { "url.full", "http.url", "url.path", "http.target", "requestUrl" };

    // Nothing of ours needs them, and what a query holds is the caller's or a signature.
    private static readonly HashSet<string> Queries = new(StringComparer.Ordinal) { "url.query", "db.query.text", "db.statement" };

    public override void OnEnd(Activity data)
    {
        List<KeyValuePair<string, object?>>? changes = null;
        foreach (var (key, value) in data.EnumerateTagObjects())
        {
            if (value is not string text)
                continue;
            var clean = Queries.Contains(key) ? null : Addresses.Contains(key) ? Redaction.Clean(Redaction.Address(text)) : Redaction.Clean(text);
            if (!ReferenceEquals(clean, text))
                (changes ??= []).Add(new(key, clean));
        }

        // A tag that is set to null is removed.
        foreach (var (key, value) in changes ?? [])
            data.SetTag(key, value);
        // The SDK of Azure puts whole exceptions here: several lines, with what the service answered.
        if (data.StatusDescription is { Length: > 0 } description)
            data.SetStatus(data.Status, Redaction.Clean(description.Split('\n', 2)[0].TrimEnd()));
    }
}
