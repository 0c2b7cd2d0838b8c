using Azure.Core;
using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Marketplace.Storage.Telemetry;

/// <summary>Registers traces, metrics and logs, once for whichever process and host it is (ADR 26).</summary>
public static class TelemetryServices
{
    /// <summary>The function app, under whatever host.</summary>
    public const string Functions = "marketplace-functions";

    /// <summary>The kernels.</summary>
    public const string Kernels = "marketplace-kernels";

    private const string Otlp = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string Insights = "APPLICATIONINSIGHTS_CONNECTION_STRING";

    /// <summary>
    /// Exports to where the settings say: by OTLP where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set, to Azure Monitor where <c>APPLICATIONINSIGHTS_CONNECTION_STRING</c> is. Where neither is,
    /// nothing is registered and nothing recorded.
    /// </summary>
    public static IServiceCollection AddMarketplaceTelemetry(this IServiceCollection services, IConfiguration configuration, string service)
    {
        var (otlp, insights) = (configuration[Otlp] is { Length: > 0 }, configuration[Insights] is { Length: > 0 } connection ? connection : null);
        if (!otlp && insights is null)
            return services;
        // Storage's clients make spans only when this is set before the first of them is.
        AppContext.SetSwitch("Azure.Experimental.EnableActivitySource", true);
        void Target(AzureMonitorExporterOptions options) => (options.ConnectionString, options.Credential) = (insights, Credential(configuration));

        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource
                .AddService(service, serviceVersion: MarketplaceActivity.Version, serviceInstanceId: Instance(configuration))
                // Last, so that OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.
                .AddEnvironmentVariableDetector())
            .WithTracing(traces =>
            {
                traces.AddSource(MarketplaceActivity.Name).AddSource("Azure.*")
                    .AddAspNetCoreInstrumentation(o => o.Filter = context => context.Request.Path.Value?.EndsWith("/health", StringComparison.Ordinal) != true)
                    // What the SDK of Azure asks for has a span of its own.
                    .AddHttpClientInstrumentation(o => o.FilterHttpRequestMessage = _ => System.Diagnostics.Activity.Current?.Parent?.Source.Name.StartsWith("Azure.", StringComparison.Ordinal) != true)
                    .AddProcessor(new RedactingSpans());
                if (insights is not null)
                    traces.AddAzureMonitorTraceExporter(Target);
                if (TraceSampling.Of(configuration) is { } sampler)
                    traces.SetSampler(sampler);
            })
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(MarketplaceActivity.Name).AddAspNetCoreInstrumentation().AddRuntimeInstrumentation();
                if (insights is not null)
                    metrics.AddAzureMonitorMetricExporter(Target);
            })
            .WithLogging(
                logs =>
                {
                    logs.AddProcessor(new RedactingLogs());
                    if (insights is not null)
                        logs.AddAzureMonitorLogExporter(Target);
                },
                options => options.IncludeFormattedMessage = true);
        if (otlp)
            telemetry.UseOtlpExporter();
        if (service == Functions)
            services.AddHostedService<QueueLengths>();
        return services;
    }

    // The platforms' names for a replica come first: a container's machine name says little.
    private static string Instance(IConfiguration configuration) =>
        configuration["CONTAINER_APP_REPLICA_NAME"] ?? configuration["WEBSITE_INSTANCE_ID"] ?? $"{Environment.MachineName}-{Environment.ProcessId}";

    /// <summary>The identity that may write telemetry: that of the settings for Application Insights, else that for storage; null to go by the connection string alone.</summary>
    internal static TokenCredential? Credential(IConfiguration configuration)
    {
        var parts = (configuration["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] ?? "").Split(';', StringSplitOptions.TrimEntries)
            .Select(p => p.Split('=', 2)).Where(p => p.Length == 2).ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
        var client = parts.GetValueOrDefault("ClientId") is { Length: > 0 } named ? named : configuration[$"{StorageOptions.Section}:{nameof(StorageOptions.ManagedIdentityClientId)}"];
        if (client is { Length: > 0 })
            return new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(client));
        return string.Equals(parts.GetValueOrDefault("Authorization"), "AAD", StringComparison.OrdinalIgnoreCase)
            ? new ManagedIdentityCredential(ManagedIdentityId.SystemAssigned)
            : null;
    }
}
