using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Marketplace.Storage.Hosting;

/// <summary>How both processes write their logs to standard output.</summary>
public static class MarketplaceConsole
{
    /// <summary>Name of the setting: true for one JSON document a line, false for text. Without it, containers write JSON.</summary>
    public const string Setting = "Marketplace:Logging:Json";

    /// <summary>Leaves out what libraries say of each request, signed addresses among it; for hosts that write logs in a way of their own.</summary>
    public static ILoggingBuilder AddMarketplaceFilters(this ILoggingBuilder logging) =>
        logging.AddFilter("Azure", LogLevel.Warning).AddFilter("Microsoft.AspNetCore", LogLevel.Warning).AddFilter("System.Net.Http", LogLevel.Warning);

    /// <summary>Writes logs to the console.</summary>
    public static ILoggingBuilder AddMarketplaceConsole(this ILoggingBuilder logging, IConfiguration configuration)
    {
        var json = bool.TryParse(configuration[Setting], out var set) ? set : bool.TryParse(configuration["DOTNET_RUNNING_IN_CONTAINER"], out var contained) && contained;
        logging.AddConsole(o => o.FormatterName = ConsoleLines.FormatterName);
        logging.AddConsoleFormatter<ConsoleLines, ConsoleLineOptions>(o => o.Json = json);
        return logging.AddMarketplaceFilters();
    }
}
