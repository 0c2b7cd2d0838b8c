using Marketplace.Functions.Http;
using Marketplace.Storage;

namespace Marketplace.Functions;

/// <summary>A row of the <see cref="FunctionTable"/>.</summary>
/// <param name="Name">Unique; the function's name in Azure and in the OpenAPI document.</param>
public abstract record Function(string Name);

/// <summary>What a request takes of the service; each has a limit of its own.</summary>
public enum RequestCost
{
    /// <summary>Looks something up.</summary>
    Read,

    /// <summary>Changes something, or starts work that others do.</summary>
    Write,

    /// <summary>Computes while the caller waits.</summary>
    Expensive,
}

/// <summary>A function behind a route.</summary>
/// <param name="Name">Unique.</param>
/// <param name="Method">HTTP method.</param>
/// <param name="Route">Route pattern below <see cref="FunctionTable.RoutePrefix"/>; of the Hub's protocol, from the root.</param>
/// <param name="Access">The least scope a caller needs, with an account; null lets anonymous callers in.</param>
/// <param name="Handler">An endpoint delegate.</param>
/// <param name="Summary">One line for the OpenAPI document.</param>
/// <param name="ReadsOnly">Of one that is not a GET: that it changes nothing. All others leave an audit event.</param>
public sealed record HttpFunction(string Name, string Method, string Route, KeyScope? Access, Delegate Handler, string Summary, bool ReadsOnly = false) : Function(Name)
{
    /// <summary>What a request costs; GET reads and everything else writes, unless the row says otherwise.</summary>
    public RequestCost Cost { get; init; } = Method == "GET" ? RequestCost.Read : RequestCost.Write;

    /// <summary>A query parameter with which a request is expensive.</summary>
    public string? ExpensiveWith { get; init; }

    /// <summary>Whether it speaks the Hub's protocol: its routes begin at the root, and it refuses in the Hub's words.</summary>
    public bool Hub { get; init; }

    /// <summary>Whether it answers HEAD as it does GET.</summary>
    public bool AlsoHead { get; init; }

    /// <summary>Reads the most bytes of a body from the options, where they are not those of the API.</summary>
    public Func<MarketplaceOptions, long>? MaxBody { get; init; }

    /// <summary>The whole route pattern.</summary>
    public string Pattern => Hub ? Route : FunctionTable.RoutePrefix + Route;

    /// <summary>Every method it answers.</summary>
    public IReadOnlyList<string> Methods => AlsoHead ? [Method, HttpMethods.Head] : [Method];

    /// <summary>Whether it may change something.</summary>
    public bool Writes => Method != HttpMethods.Get && !ReadsOnly;
}

/// <summary>A function behind a queue. It may run twice for one message.</summary>
/// <param name="Name">Unique.</param>
/// <param name="Queue">Name of the queue.</param>
/// <param name="Handle">Takes the message's text.</param>
public sealed record QueueFunction(string Name, string Queue, Func<IServiceProvider, string, CancellationToken, Task> Handle) : Function(Name)
{
    /// <summary>The handler, and the audit event of what it did.</summary>
    public Func<IServiceProvider, string, CancellationToken, Task> Handle { get; } = (services, message, cancellationToken) =>
        Auditing.RunAsync(services, Name, $"queue:{Queue}", message, () => Handle(services, message, cancellationToken), cancellationToken);
}

/// <summary>A function that runs on a schedule.</summary>
/// <param name="Name">Unique.</param>
/// <param name="Schedule">Reads the six-field cron expression from the options.</param>
/// <param name="Handle">What to do when it is time.</param>
public sealed record TimerFunction(string Name, Func<MarketplaceOptions, string> Schedule, Func<IServiceProvider, CancellationToken, Task> Handle) : Function(Name)
{
    /// <summary>The handler, and the audit event of what it did.</summary>
    public Func<IServiceProvider, CancellationToken, Task> Handle { get; } = (services, cancellationToken) =>
        Auditing.RunAsync(services, Name, $"timer:{Name}", Name, () => Handle(services, cancellationToken), cancellationToken);
}
