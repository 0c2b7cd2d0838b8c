using OpenTelemetry;
using OpenTelemetry.Logs;

namespace Marketplace.Storage.Telemetry;

/// <summary>Goes over every log before an exporter sees it.</summary>
internal sealed class RedactingLogs : BaseProcessor<LogRecord>
{
    public override void OnEnd(LogRecord data)
    {
        if (data.FormattedMessage is { } message)
            data.FormattedMessage = Redaction.Clean(message);
        if (data.Body is { } body)
            data.Body = Redaction.Clean(body);
        var attributes = data.Attributes?.Select(a => new KeyValuePair<string, object?>(a.Key, Clean(a.Value))).ToList() ?? [];
        if (data.Exception is { } exception && exception.ToString() is var full && Redaction.Clean(full) is var clean && !ReferenceEquals(clean, full))
        {
            // An exception can't be changed; what the conventions call its parts says the same.
            data.Exception = null;
            attributes.Add(new("exception.type", exception.GetType().FullName));
            attributes.Add(new("exception.message", Redaction.Clean(exception.Message)));
            attributes.Add(new("exception.stacktrace", clean));
        }

        if (attributes.Count > 0)
            data.Attributes = attributes;
    }

    private static object? Clean(object? value) => value switch
    {
        string text => Redaction.Clean(text),
        Uri address => Redaction.Clean(Redaction.Address(address.ToString())),
        _ => value,
    };
}
