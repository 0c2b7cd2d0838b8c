using System.ComponentModel;
using System.Diagnostics;

namespace Marketplace.Cli.Azurite;

/// <summary>
/// Installs Azurite once for each user, from the committed package-lock.json. That file overrides Azurite's telemetry client, which is
/// switched off anyway, by an older and smaller one: half the size on disk, and Azurite starts in a third of the time.
/// </summary>
public static class AzuriteInstall
{
    /// <summary>The version that package-lock.json names.</summary>
    public const string Version = "3.37.0";

    private static readonly string Source = Path.Combine(AppContext.BaseDirectory, "Azurite");
    private static readonly NpmInstall Install = new($"azurite-{Version}", Source);

    /// <summary>The file that starts Azurite under our watch.</summary>
    internal static string HostScript => Path.Combine(Source, "host.cjs");

    /// <summary>Path of Azurite's main script, installed first if need be.</summary>
    /// <param name="report">Told when an installation begins, since it takes a minute.</param>
    /// <param name="ct">Ends the wait or the installation.</param>
    /// <exception cref="AzuriteException">Node.js or npm is missing, or npm failed.</exception>
    public static async Task<string> EnsureAsync(Action<string>? report = null, CancellationToken ct = default) =>
        Path.Combine(await Install.EnsureAsync(report, ct), "node_modules", "azurite", "dist", "src", "azurite.js");

    /// <summary>Runs Node.js or npm; a helpful error if it isn't there.</summary>
    internal static Process Start(ProcessStartInfo info)
    {
        try
        {
            return Process.Start(info) ?? throw new AzuriteException($"{info.FileName} did not start.");
        }
        catch (Win32Exception e)
        {
            throw new AzuriteException(
                $"'{info.FileName}' was not found. The marketplace keeps its data in Azurite, which needs Node.js 20 or newer with npm: see https://nodejs.org.", e);
        }
    }
}
