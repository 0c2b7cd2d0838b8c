using System.Diagnostics;

namespace Marketplace.Storage;

/// <summary>
/// What a message says: an id, and the trace of whoever sent it, so that what is done for the message belongs to the same trace. As text: the id alone, or
/// <c>id traceparent</c>, or <c>id traceparent tracestate</c>, the latter two as W3C Trace Context writes them. An id has no spaces.
/// </summary>
/// <param name="Id">What the message is about.</param>
/// <param name="Trace">Where it was sent; the default if that is not known.</param>
public readonly record struct MessageText(string Id, ActivityContext Trace)
{
    // What W3C Trace Context asks to be carried at least. It comes from callers, so there is an end to it.
    private const int MaxState = 512;

    /// <summary>Reads a message. What is no context is left out: an id is worth more than its trace.</summary>
    public static MessageText Parse(string text)
    {
        var parts = text.Split(' ', 3);
        return parts.Length > 1 && ActivityContext.TryParse(parts[1], parts.Length > 2 ? parts[2] : null, isRemote: true, out var trace)
            ? new(parts[0], trace)
            : new(parts[0], default);
    }

    /// <summary>The message for what is being done now.</summary>
    public static MessageText Of(string id) => new(id, Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Context : default);

    /// <summary>The text.</summary>
    public override string ToString()
    {
        if (Trace.TraceId == default || Trace.SpanId == default)
            return Id;
        var parent = $"{Id} 00-{Trace.TraceId}-{Trace.SpanId}-{(byte)Trace.TraceFlags:x2}";
        return Trace.TraceState is { Length: > 0 and <= MaxState } state && state.All(c => c is >= ' ' and <= '~') ? $"{parent} {state}" : parent;
    }
}
