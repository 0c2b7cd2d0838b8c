using Cronos;
using Marketplace.Storage.Telemetry;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Hosting;

/// <summary>Runs the table's timer functions in process. A run that overlaps the next moment makes that one wait.</summary>
internal sealed class TimerTriggers(
    IServiceProvider services, IOptions<MarketplaceOptions> options, TimeProvider time, ILogger<TimerTriggers> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(FunctionTable.Timers.Select(function => RunAsync(function, stoppingToken)));

    private async Task RunAsync(TimerFunction function, CancellationToken stoppingToken)
    {
        var schedule = CronExpression.Parse(function.Schedule(options.Value), CronFormat.IncludeSeconds);
        while (schedule.GetNextOccurrence(time.GetUtcNow(), TimeZoneInfo.Utc) is { } next)
        {
            await Task.Delay(next - time.GetUtcNow() is { Ticks: > 0 } wait ? wait : TimeSpan.Zero, time, stoppingToken);
            using var span = MarketplaceActivity.Start($"run {function.Name}");
            try
            {
                await function.Handle(services, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                span.Fail(e.GetType().FullName!);
                logger.LogError(e, "{Function} failed; it runs again at its next time", function.Name);
            }
        }
    }
}
