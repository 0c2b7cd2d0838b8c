using System.Diagnostics;
using System.Security.Cryptography;

namespace Marketplace.Cli.Azurite;

/// <summary>A program of npm's, installed once for each user from a committed package-lock.json.</summary>
/// <param name="name">Its name and version, for the folder and for messages.</param>
/// <param name="source">Folder with package.json and package-lock.json.</param>
public sealed class NpmInstall(string name, string source)
{
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(250);

    /// <summary>The folder that has <c>node_modules</c>, installed first if need be. Processes that ask at once install it once.</summary>
    /// <param name="report">Told when an installation begins, since it takes a minute.</param>
    /// <param name="ct">Ends the wait or the installation.</param>
    /// <exception cref="AzuriteException">Node.js or npm is missing, or npm failed.</exception>
    public async Task<string> EnsureAsync(Action<string>? report = null, CancellationToken ct = default)
    {
        var target = Path.Combine(CacheFolder(), $"{name}-{LockFileId()}");
        if (Directory.Exists(target))
            return target;
        Directory.CreateDirectory(CacheFolder());
        await using var only = await LockAsync(target + ".lock", ct);
        if (Directory.Exists(target))
            return target;
        report?.Invoke($"Installing {name} through npm; this happens once.");
        await InstallAsync(target, ct);
        return target;
    }

    /// <summary>Into a folder beside the target, renamed when complete: the target either is a whole installation or does not exist.</summary>
    private async Task InstallAsync(string target, CancellationToken ct)
    {
        var partial = target + ".partial";
        if (Directory.Exists(partial))
            Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        foreach (var file in new[] { "package.json", "package-lock.json" })
            File.Copy(Path.Combine(source, file), Path.Combine(partial, file));
        await NpmAsync(partial, ct);
        Directory.Move(partial, target);
    }

    private async Task NpmAsync(string folder, CancellationToken ct)
    {
        var info = new ProcessStartInfo(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var npm = AzuriteInstall.Start(info);
        try
        {
            npm.StandardInput.Close();
            var output = npm.StandardOutput.ReadToEndAsync(ct);
            var errors = npm.StandardError.ReadToEndAsync(ct);
            await npm.WaitForExitAsync(ct);
            if (npm.ExitCode != 0)
                throw new AzuriteException($"npm could not install {name} (exit code {npm.ExitCode}):\n{await output}{await errors}".TrimEnd());
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

    private string LockFileId() => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(source, "package-lock.json"))))[..8];
}
