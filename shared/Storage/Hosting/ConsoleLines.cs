using System.Diagnostics;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Marketplace.Storage.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Marketplace.Storage.Hosting;

/// <summary>Settings of <see cref="ConsoleLines"/>.</summary>
public sealed class ConsoleLineOptions : ConsoleFormatterOptions
{
    /// <summary>JSON rather than text.</summary>
    public bool Json { get; set; }
}

/// <summary>
/// Logs as lines: as text for people, or as JSON with the template's properties under their own names and the trace it belongs to. Neither has secrets in it, whatever an exception said.
/// </summary>
internal sealed class ConsoleLines(IOptionsMonitor<ConsoleLineOptions> options) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "marketplace";

    // The lines go to a log, not into a page: quotes and letters stay as they are.
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        textWriter.WriteLine(Redaction.Clean(options.CurrentValue.Json ? Json(logEntry, message) : Text(logEntry, message)));
    }

    private static string Text<TState>(in LogEntry<TState> entry, string message)
    {
        var line = $"{Level(entry.LogLevel)}: {entry.Category}[{entry.EventId.Id}] {message}";
        if (entry.Exception is { } exception)
            line = $"{line} {exception}";
        return line.ReplaceLineEndings(" ");
    }

    private static string Json<TState>(in LogEntry<TState> entry, string message)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Relaxed))
        {
            json.WriteStartObject();
            json.WriteString("timestamp", DateTimeOffset.UtcNow);
            json.WriteString("level", entry.LogLevel.ToString());
            json.WriteString("category", entry.Category);
            json.WriteString("message", message);
            if (entry.State is IEnumerable<KeyValuePair<string, object?>> properties)
            {
                json.WriteStartObject("properties");
                foreach (var (name, value) in properties.DistinctBy(p => p.Key))
                    WriteValue(json, name == "{OriginalFormat}" ? "template" : name, value);
                json.WriteEndObject();
            }

            if (entry.Exception is { } exception)
                json.WriteString("exception", exception.ToString());
            if (Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity)
            {
                json.WriteString("traceId", activity.TraceId.ToString());
                json.WriteString("spanId", activity.SpanId.ToString());
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    private static void WriteValue(Utf8JsonWriter json, string name, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNull(name);
                break;
            case bool flag:
                json.WriteBoolean(name, flag);
                break;
            case int or long or short or byte:
                json.WriteNumber(name, Convert.ToInt64(value, null));
                break;
            case double number when double.IsFinite(number):
                json.WriteNumber(name, number);
                break;
            default:
                json.WriteString(name, FormattableString.Invariant($"{value}"));
                break;
        }
    }

    private static string Level(LogLevel level) => level switch
    {
        LogLevel.Trace => "trce",
        LogLevel.Debug => "dbug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "fail",
        _ => "crit",
    };
}
