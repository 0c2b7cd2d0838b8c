using System.Text.Json.Nodes;
using Marketplace.Storage;

namespace Marketplace.Functions.Hosting;

/// <summary>What calls a function in Azure.</summary>
public enum FunctionTrigger
{
    Http,
    Queue,
    Timer,
}

/// <summary>A function as the Functions host is told of it.</summary>
/// <param name="Name">Unique, also without regard to case.</param>
/// <param name="Trigger">What calls it.</param>
/// <param name="Bindings">Its bindings as JSON objects, the trigger first.</param>
public sealed record BoundFunction(string Name, FunctionTrigger Trigger, IReadOnlyList<string> Bindings);

/// <summary>
/// The function table in the words of the Functions host. Beside the table's rows there are two functions: <c>OpenApi</c>, and <see cref="Unrouted"/> for
/// whatever no other route takes, so that a wrong address or method gets the same problem from both hosts.
/// </summary>
public static class FunctionBindings
{
    /// <summary>Name of the binding that carries a queue's message.</summary>
    public const string Message = "item";

    /// <summary>The setting that says how the host itself reaches the queues: the account that has the marketplace's data.</summary>
    public const string Connection = "AzureWebJobsStorage";

    /// <summary>The host asks functions in the order of their names and takes the first whose route fits; this one has to be asked last.</summary>
    public const string Unrouted = "ZUnrouted";

    private static readonly string[] EveryMethod = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

    /// <summary>All functions, for queues within <paramref name="storage"/>'s namespace and schedules from <paramref name="options"/>.</summary>
    public static IEnumerable<BoundFunction> All(MarketplaceStorage storage, MarketplaceOptions options)
    {
        foreach (var function in FunctionTable.Routed)
            yield return Http(function.Name, [.. function.Methods], function.Pattern);
        yield return Http("OpenApi", ["GET"], StandaloneHost.OpenApiRoute);
        yield return Http(Unrouted, EveryMethod, "{*path}");
        foreach (var function in FunctionTable.Queues)
            yield return Queue(function.Name, storage.Queues.Client(function.Queue).Name);
        foreach (var function in FunctionTable.Timers)
            yield return Timer(function.Name, function.Schedule(options));
    }

    /// <summary>A route pattern as the host writes it: without the first slash, and with one star, since it knows no other catch-all.</summary>
    public static string HostRoute(string route) => route.TrimStart('/').Replace("{**", "{*", StringComparison.Ordinal);

    // Keys are checked by the app itself: the host would want its own keys.
    private static BoundFunction Http(string name, string[] methods, string route) => new(name, FunctionTrigger.Http,
    [
        new JsonObject
        {
            ["name"] = "req",
            ["type"] = "httpTrigger",
            ["direction"] = "In",
            ["authLevel"] = "Anonymous",
            ["methods"] = new JsonArray([.. methods.Select(method => JsonValue.Create(method.ToLowerInvariant()))]),
            ["route"] = HostRoute(route),
        }.ToJsonString(),
        new JsonObject { ["name"] = "$return", ["type"] = "http", ["direction"] = "Out" }.ToJsonString(),
    ]);

    private static BoundFunction Queue(string name, string queue) => new(name, FunctionTrigger.Queue,
    [
        new JsonObject
        {
            ["name"] = Message,
            ["type"] = "queueTrigger",
            ["direction"] = "In",
            ["queueName"] = queue,
            ["connection"] = Connection,
            ["dataType"] = "String",
        }.ToJsonString(),
    ]);

    private static BoundFunction Timer(string name, string schedule) => new(name, FunctionTrigger.Timer,
    [
        new JsonObject { ["name"] = "timer", ["type"] = "timerTrigger", ["direction"] = "In", ["schedule"] = schedule }.ToJsonString(),
    ]);
}
