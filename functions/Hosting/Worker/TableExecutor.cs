using System.Globalization;
using Marketplace.Storage;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Context.Features;
using Microsoft.Azure.Functions.Worker.Invocation;

namespace Marketplace.Functions.Hosting.Worker;

/// <summary>Runs what the host asks for: requests through the app's own pipeline, messages and timers through the table's handlers.</summary>
internal sealed class TableExecutor : IFunctionExecutor
{
    private readonly RequestDelegate pipeline;
    private readonly RunningHandlers running;
    private readonly Dictionary<string, QueueFunction> queues = FunctionTable.Queues.ToDictionary(function => function.Name);
    private readonly Dictionary<string, TimerFunction> timers = FunctionTable.Timers.ToDictionary(function => function.Name);

    public TableExecutor(IServiceProvider services, RunningHandlers running)
    {
        this.running = running;
        var app = new ApplicationBuilder(services);
        StandaloneHost.UseMarketplace(app);
        pipeline = app.Build();
    }

    public async ValueTask ExecuteAsync(FunctionContext context)
    {
        var name = context.FunctionDefinition.Name;
        if (context.GetHttpContext() is { } request)
            await HandleAsync(request, context);
        else if (queues.TryGetValue(name, out var queue))
            await HandleAsync(queue, context);
        else if (timers.TryGetValue(name, out var timer))
            await running.RunAsync(ct => timer.Handle(context.InstanceServices, ct), context.CancellationToken);
        else
            throw new InvalidOperationException($"The function table has no function '{name}'.");
    }

    /// <summary>
    /// The worker routed the request to the function; the app routes it once more, to its endpoint. It is cancelled when the client goes, not when the
    /// host stops: a stop waits for requests.
    /// </summary>
    private async Task HandleAsync(HttpContext request, FunctionContext context)
    {
        request.SetEndpoint(null);
        request.Request.RouteValues.Clear();
        await pipeline(request);
        // The answer is written; the worker wants a result that adds nothing to it.
        context.GetInvocationResult().Value = Results.Empty;
    }

    private async Task HandleAsync(QueueFunction function, FunctionContext context)
    {
        var input = context.Features.Get<IFunctionInputBindingFeature>() ?? throw new InvalidOperationException("The host sent no input.");
        var bound = await input.BindFunctionInputAsync(context);
        if (bound.Values is not [string message])
            throw new InvalidOperationException($"The message for '{function.Name}' is no text.");
        var delivery = new MessageDelivery(function.Queue, message, Number(context, "DequeueCount") ?? 1, Moment(context, "InsertionTime"));
        await running.RunAsync(ct => delivery.RunAsync((id, stop) => function.Handle(context.InstanceServices, id, stop), ct), context.CancellationToken);
    }

    // What the host tells of a message comes as JSON.
    private static long? Number(FunctionContext context, string name) =>
        long.TryParse(Told(context, name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static DateTimeOffset? Moment(FunctionContext context, string name) =>
        DateTimeOffset.TryParse(Told(context, name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment) ? moment : null;

    private static string? Told(FunctionContext context, string name) => context.BindingContext.BindingData.GetValueOrDefault(name)?.ToString()?.Trim('"');
}
