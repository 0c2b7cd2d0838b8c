using System.Globalization;
using Marketplace.Core.Merges;
using Marketplace.Kernels.Composition;
using Marketplace.Kernels.Evaluation;
using Marketplace.Kernels.Merges;
using Marketplace.Storage;
using Marketplace.Storage.Hosting;
using Marketplace.Storage.Jobs;
using Marketplace.Storage.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Marketplace.Kernels;

/// <summary>
/// The queue consumer. It takes one job at a time, since a job uses all cores or the whole GPU; more replicas take more jobs, and the
/// container platform starts them by the queue's length.
/// </summary>
public static class KernelHost
{
    /// <summary>Builds the host. Settings: section <c>Storage</c>; <c>Marketplace:Kernels:Device</c> (cpu or cuda), <c>Marketplace:Kernels:MemoryBytes</c>; <c>ASPNETCORE_URLS</c> for the health probe.</summary>
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.Logging.AddMarketplaceConsole(builder.Configuration);
        builder.Services.AddMarketplaceStorage(builder.Configuration);
        builder.Services.AddMarketplaceTelemetry(builder.Configuration, TelemetryServices.Kernels);
        builder.Services.AddJobs();
        builder.Services.AddSingleton(new BaseWeightsFolder(builder.Configuration["Marketplace:Kernels:BaseWeights"]));
        var asked = builder.Configuration["Marketplace:Kernels:Device"];
        var device = asked is { Length: > 0 }
            ? KernelDevice.Find(asked) ?? throw new InvalidOperationException($"This process has no device '{asked}'.")
            : KernelDevice.Find("cuda") ?? KernelDevice.Cpu;
        // One CUDA device computes one module after the other; processors compute them side by side.
        var resources = new MergeResources(device, device == KernelDevice.Cpu ? Environment.ProcessorCount : 1);
        if (builder.Configuration["Marketplace:Kernels:MemoryBytes"] is { Length: > 0 } limit)
        {
            resources = resources with
            {
                MemoryBytes = long.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) && bytes > 0
                    ? bytes : throw new InvalidOperationException($"Marketplace:Kernels:MemoryBytes is a number of bytes, not '{limit}'."),
            };
        }

        builder.Services.AddSingleton(resources);
        builder.Services.AddSingleton<IMergeKernels>(new TorchKernels(device));
        builder.Services.AddSingleton<MergeJobs>();
        builder.Services.AddSingleton<EvaluationJobs>();
        builder.Services.AddSingleton<CompositionJobs>();
        builder.Services.AddHostedService<KernelConsumer>();
        builder.Services.AddParentWatch(builder.Configuration);

        var app = builder.Build();
        app.MapGet("/health", () => "ok");
        return app;
    }
}
