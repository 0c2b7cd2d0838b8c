using System.ComponentModel;
using System.Diagnostics;
using System.Security.Cryptography;

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
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(250);

    /// <summary>The file that starts Azurite under our watch.</summary>
    internal static string HostScript => Path.Combine(Source, "host.cjs");

    /// <summary>Path of Azurite's main script, installed first if need be. Processes that ask at once install it once.</summary>
    /// <param name="report">Told when an installation begins, since it takes a minute.</param>
    /// <param name="ct">Ends the wait or the installation.</param>
    /// <exception cref="AzuriteException">Node.js or npm is missing, or npm failed.</exception>
    public static async Task<string> EnsureAsync(Action<string>? report = null, CancellationToken ct = default)
    {
        var target = Path.Combine(CacheFolder(), $"azurite-{Version}-{LockFileId()}");
        var script = Path.Combine(target, "node_modules", "azurite", "dist", "src", "azurite.js");
        if (File.Exists(script))
            return script;
        Directory.CreateDirectory(CacheFolder());
        await using var only = await LockAsync(target + ".lock", ct);
        if (File.Exists(script))
            return script;
        report?.Invoke($"Installing Azurite {Version} through npm; this happens once.");
        await InstallAsync(target, ct);
        return script;
    }

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

    /// <summary>Into a folder beside the target, renamed when complete: the target either is a whole installation or does not exist.</summary>
    private static async Task InstallAsync(string target, CancellationToken ct)
    {
        var partial = target + ".partial";
        if (Directory.Exists(partial))
            Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        foreach (var file in new[] { "package.json", "package-lock.json" })
            File.Copy(Path.Combine(Source, file), Path.Combine(partial, file));
        await NpmAsync(partial, ct);
        if (Directory.Exists(target))
            Directory.Delete(target, recursive: true);
        Directory.Move(partial, target);
    }

    private static async Task NpmAsync(string folder, CancellationToken ct)
    {
        var info = new ProcessStartInfo(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var npm = Start(info);
        try
        {
            npm.StandardInput.Close();
            var output = npm.StandardOutput.ReadToEndAsync(ct);
            var errors = npm.StandardError.ReadToEndAsync(ct);
            await npm.WaitForExitAsync(ct);
            if (npm.ExitCode != 0)
                throw new AzuriteException($"npm could not install Azurite {Version} (exit code {npm.ExitCode}):\n{await output}{await errors}".TrimEnd());
        }
        finally
        {
            if (!npm.HasExited)
                npm.Kill(entireProcessTree: true);
        }
    }

    private static async Task<FileStream> LockAsync(string path, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                await Task.Delay(LockPoll, ct);
            }
        }
    }

    private static string CacheFolder()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(cache) || !Path.IsPathRooted(cache))
            cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".cache");
        return Path.Combine(cache, "marketplace");
    }

    private static string LockFileId() =>
        Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(Source, "package-lock.json"))))[..8];
}
