using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Marketplace.Storage.Hosting;

/// <summary>Stops a host that was started by <c>marketplace up</c> when that process is gone, however it went.</summary>
public static class ParentWatch
{
    /// <summary>Name of the setting that holds the parent's process id; without it nothing is watched.</summary>
    public const string Setting = "MARKETPLACE_PARENT_PID";

    /// <summary>Registers the watch where the setting is present.</summary>
    public static void AddParentWatch(this IServiceCollection services, IConfiguration configuration)
    {
        if (int.TryParse(configuration[Setting], out var parent))
            services.AddHostedService(provider => new Watch(parent, provider.GetRequiredService<IHostApplicationLifetime>()));
    }

    private sealed class Watch(int parent, IHostApplicationLifetime lifetime) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            try
            {
                using var process = Process.GetProcessById(parent);
                await process.WaitForExitAsync(stoppingToken);
            }
            catch (ArgumentException)
            {
                // It was gone before we looked.
            }

            lifetime.StopApplication();
        }
    }
}
