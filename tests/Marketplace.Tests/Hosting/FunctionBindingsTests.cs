using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Marketplace.Functions;
using Marketplace.Functions.Hosting;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.AspNetCore.Routing.Template;
using Xunit;

namespace Marketplace.Tests.Hosting;

/// <summary>What the Functions host would be told, held against the function table and the app's own routes; and host.json against the code.</summary>
public sealed partial class FunctionBindingsTests : IAsyncDisposable
{
    private static readonly MarketplaceOptions Options = new() { SweepSchedule = "0 1 2 * * *", ReclusterSchedule = "30 0 4 * * 0" };
    private static readonly MarketplaceStorage Storage = new(new StorageOptions { ConnectionString = "UseDevelopmentStorage=true", Namespace = "blue" });

    private readonly List<BoundFunction> functions = [.. FunctionBindings.All(Storage, Options)];
    private readonly WebApplication app = StandaloneHost.Build([]);

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    [Fact]
    public void Every_row_of_the_table_is_a_function_and_two_more_answer_for_the_rest()
    {
        Function[] table = [.. FunctionTable.Routed, .. FunctionTable.Queues, .. FunctionTable.Timers];
        Assert.Equal([.. table.Select(f => f.Name), "OpenApi", FunctionBindings.Unrouted], functions.Select(f => f.Name), EqualAsSets);
        Assert.Equal(functions.Count, functions.DistinctBy(f => f.Name, StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(functions, f => Assert.Matches(NameRule(), f.Name));
        Assert.All(table, row => Assert.Equal(row is HttpFunction ? FunctionTrigger.Http : row is QueueFunction ? FunctionTrigger.Queue : FunctionTrigger.Timer, Named(row.Name).Trigger));
    }

    [Fact]
    public void Http_functions_have_the_method_and_route_of_their_row_in_the_hosts_words()
    {
        foreach (var row in FunctionTable.Routed)
        {
            var trigger = Trigger(row.Name);
            Assert.Equal("httpTrigger", (string?)trigger["type"]);
            Assert.Equal(row.Methods.Select(m => m.ToLowerInvariant()), Methods(trigger));
            Assert.Equal(row.Pattern.TrimStart('/').Replace("**", "*", StringComparison.Ordinal), (string?)trigger["route"]);
        }

        foreach (var function in functions.Where(f => f.Trigger is FunctionTrigger.Http))
        {
            // The host's own keys would come before ours.
            Assert.Equal("Anonymous", (string?)Trigger(function.Name)["authLevel"]);
            Assert.Equal(["In", "Out"], function.Bindings.Select(b => (string?)Parse(b)["direction"]));
            Assert.Equal("$return", (string?)Parse(function.Bindings[1])["name"]);
        }
    }

    [Fact]
    public void Routes_are_such_as_the_host_takes_and_no_two_functions_share_one()
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var trigger in functions.Where(f => f.Trigger is FunctionTrigger.Http).Select(f => Trigger(f.Name)))
        {
            var route = (string)trigger["route"]!;
            Assert.False(route.StartsWith('/'), route);
            Assert.DoesNotContain("**", route, StringComparison.Ordinal);
            // The host answers below these itself.
            Assert.DoesNotMatch("^(admin|runtime)(/|$)", route);
            // Parameters have names, but to a router they are alike.
            var shape = Parameter().Replace(route, match => match.Value.StartsWith("{*", StringComparison.Ordinal) ? "{*}" : "{}");
            Assert.All(Methods(trigger), method => Assert.True(seen.Add($"{method} {shape}"), $"Two functions take {method} {shape}."));
        }
    }

    [Fact]
    public async Task Every_request_reaches_by_its_function_the_endpoint_it_reaches_without()
    {
        var own = Router(((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints));
        var worker = Router(functions.Where(f => f.Trigger is FunctionTrigger.Http).Select(AsTheWorkerMapsIt));
        string[] paths = [.. FunctionTable.Routed.Select(f => Parameter().Replace(f.Pattern, m => m.Value.StartsWith("{*", StringComparison.Ordinal) ? "a/b.c" : "x1")), "/api/v1", "/api/v1/nothing", "/"];
        var reached = new HashSet<string>();
        foreach (var path in paths)
        {
            foreach (var method in Methods(Trigger(FunctionBindings.Unrouted)))
            {
                var expected = (await own(method, path))?.Metadata.GetMetadata<HttpFunction>()?.Name ?? FunctionBindings.Unrouted;
                Assert.Equal((method, path, expected), (method, path, AsTheHostRoutes(method, path)));
                // Whichever endpoint the worker chooses, the host has named the function already; but it must choose one.
                Assert.NotNull(await worker(method, path));
                reached.Add(expected);
            }
        }

        Assert.Equal([.. FunctionTable.Routed.Select(f => f.Name), FunctionBindings.Unrouted], reached, EqualAsSets);
        Assert.Equal("OpenApi", AsTheHostRoutes("get", "/openapi/v1.json"));
        Assert.NotNull(await own("get", "/openapi/v1.json"));
    }

    [Fact]
    public void Queue_functions_listen_to_the_queues_of_the_deployments_namespace()
    {
        foreach (var row in FunctionTable.Queues)
        {
            var trigger = Trigger(row.Name);
            Assert.Equal("queueTrigger", (string?)trigger["type"]);
            Assert.Equal("blue-" + row.Queue, (string?)trigger["queueName"]);
            Assert.Equal("AzureWebJobsStorage", (string?)trigger["connection"]);
            Assert.Equal("String", (string?)trigger["dataType"]);
        }

        // Where the host puts messages that failed too often; the kernels' queue has a poison queue here and its consumer there.
        string[] consumed = [.. functions.Where(f => f.Trigger is FunctionTrigger.Queue).Select(f => (string)Trigger(f.Name)["queueName"]!)];
        Assert.Equal(consumed.Distinct(), consumed);
        Assert.All(QueueNames.All, queue => Assert.Contains($"blue-{queue}-poison", consumed));
        Assert.DoesNotContain("blue-kernel-jobs", consumed);
    }

    [Fact]
    public void Timer_functions_keep_the_schedules_of_the_settings()
    {
        Assert.All(FunctionTable.Timers, row => Assert.Equal("timerTrigger", (string?)Trigger(row.Name)["type"]));
        Assert.Equal("0 1 2 * * *", (string?)Trigger("Sweep")["schedule"]);
        Assert.Equal("30 0 4 * * 0", (string?)Trigger("Recluster")["schedule"]);
    }

    [Fact]
    public void The_hosts_settings_agree_with_ours()
    {
        var settings = Parse(File.ReadAllText(Path.Combine(Fixtures.Repository, "functions", "host.json")));
        var defaults = new StorageOptions();
        var queues = settings["extensions"]!["queues"]!;
        Assert.Equal("2.0", (string?)settings["version"]);
        Assert.Equal("", (string?)settings["extensions"]!["http"]!["routePrefix"]);
        // Read otherwise, every message would name nothing, and be done.
        Assert.Equal(MarketplaceStorage.MessageEncoding.ToString(), (string?)queues["messageEncoding"], ignoreCase: true);
        Assert.Equal(defaults.MaxDeliveries, (int?)queues["maxDequeueCount"]);
        // One message at a time for each queue, like the standalone host.
        Assert.Equal((1, 0), ((int)queues["batchSize"]!, (int)queues["newBatchThreshold"]!));
        Assert.True(TimeSpan.Parse((string)queues["visibilityTimeout"]!) > TimeSpan.Zero);
        Assert.Equal("OpenTelemetry", (string?)settings["telemetryMode"]);
        Assert.Equal("Warning", (string?)settings["logging"]!["logLevel"]!["Azure"]);
    }

    [Fact]
    public void The_default_build_knows_nothing_of_the_worker() =>
        Assert.DoesNotContain(typeof(FunctionTable).Assembly.GetReferencedAssemblies(), a => a.Name!.StartsWith("Microsoft.Azure.Functions", StringComparison.Ordinal));

    /// <summary>The endpoint that a router of these endpoints chooses for a request; the one that says 405 has no metadata.</summary>
    private Func<string, string, Task<Endpoint?>> Router(IEnumerable<Endpoint> endpoints)
    {
        Endpoint? chosen = null;
        var builder = new ApplicationBuilder(app.Services);
        builder.UseRouting();
        builder.Use(_ => context =>
        {
            chosen = context.GetEndpoint();
            return Task.CompletedTask;
        });
        builder.UseEndpoints(routes => routes.DataSources.Add(new DefaultEndpointDataSource(endpoints)));
        var pipeline = builder.Build();
        return async (method, path) =>
        {
            var context = new DefaultHttpContext { RequestServices = app.Services };
            (context.Request.Method, context.Request.Path) = (method.ToUpperInvariant(), path);
            await pipeline(context);
            return chosen;
        };
    }

    /// <summary>The function that the host hands a request to: of those that take the method, by name, the first whose template fits.</summary>
    private string? AsTheHostRoutes(string method, string path) => functions
        .Where(f => f.Trigger is FunctionTrigger.Http && Methods(Trigger(f.Name)).Contains(method))
        .OrderBy(f => f.Name, StringComparer.OrdinalIgnoreCase)
        .FirstOrDefault(f => new TemplateMatcher(TemplateParser.Parse((string)Trigger(f.Name)["route"]!), []).TryMatch(path, []))?.Name;

    private RouteEndpoint AsTheWorkerMapsIt(BoundFunction function) => new(
        _ => Task.CompletedTask, RoutePatternFactory.Parse("/" + (string)Trigger(function.Name)["route"]!), order: 0,
        new EndpointMetadataCollection(new HttpMethodMetadata(Methods(Trigger(function.Name)))), function.Name);

    private BoundFunction Named(string name) => functions.Single(f => f.Name == name);

    private JsonNode Trigger(string name) => Parse(Named(name).Bindings[0]);

    private static JsonNode Parse(string json) => JsonNode.Parse(json)!;

    private static string[] Methods(JsonNode trigger) => [.. trigger["methods"]!.AsArray().Select(m => (string)m!)];

    private static bool EqualAsSets(IEnumerable<string> one, IEnumerable<string> other) =>
        one.Order(StringComparer.Ordinal).SequenceEqual(other.Order(StringComparer.Ordinal));

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9]{0,62}$")]
    private static partial Regex NameRule();

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
