using System.Diagnostics;
using System.Reflection;

namespace Marketplace.Storage.Telemetry;

/// <summary>Spans of our own work, beside those that ASP.NET Core and the Azure SDK make. Nothing that a caller sent becomes an attribute.</summary>
public static class MarketplaceActivity
{
    /// <summary>Name of the source, and of the meter.</summary>
    public const string Name = "Marketplace";

    /// <summary>The version of this code, as resources and instruments state it.</summary>
    public static string Version { get; } =
        typeof(MarketplaceActivity).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>The source of our spans.</summary>
    public static ActivitySource Source { get; } = new(Name, Version);

    /// <summary>Begins a part of what is being done; null, and nothing is spent, where nobody listens.</summary>
    public static Activity? Start(string name) => Source.StartActivity(name);

    /// <summary>
    /// Begins the handling of a message as a child of what sent it. Without a listener the activity is there too, since logs take their trace id from it.
    /// </summary>
    internal static Activity Receive(string name, ActivityContext sender)
    {
        if (Source.StartActivity(name, ActivityKind.Consumer, sender) is { } heard)
            return heard;
        var unheard = new Activity(name);
        if (sender != default)
        {
            unheard.SetParentId(sender.TraceId, sender.SpanId, sender.TraceFlags);
            unheard.TraceStateString = sender.TraceState;
        }

        return unheard.Start();
    }

    /// <summary>Marks a span as failed; the exception's text stays out of it.</summary>
    /// <param name="activity">The span.</param>
    /// <param name="type">The code of a failure that is foreseen, or the type of an exception.</param>
    public static void Fail(this Activity? activity, string type)
    {
        activity?.SetTag("error.type", type);
        activity?.SetStatus(ActivityStatusCode.Error);
    }
}
