using System.Diagnostics;
using System.Text.Json;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Local;

/// <summary>What <c>up</c> writes down while it runs, so that other commands need no options.</summary>
/// <param name="Url">Address of the service.</param>
/// <param name="Key">API key of the user's account.</param>
/// <param name="ProcessId">The process that runs it.</param>
/// <param name="Admin">Admin key, for what the operator of a local stack does: only the user who runs it can read this.</param>
internal sealed record RunningStack(string Url, string Key, int ProcessId, string? Admin = null)
{
    private static string FilePath => Path.Combine(StateFolder.Root, "running.json");

    /// <summary>The stack that runs here, or null.</summary>
    public static RunningStack? Read()
    {
        try
        {
            var stack = JsonSerializer.Deserialize<RunningStack>(File.ReadAllText(FilePath), ApiJson.Options);
            return stack is not null && IsAlive(stack.ProcessId) ? stack : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes it down.</summary>
    public void Save()
    {
        PrivateFile.CreateDirectory(StateFolder.Root);
        PrivateFile.Write(FilePath, JsonSerializer.Serialize(this, ApiJson.Options));
    }

    /// <summary>Removes what this process wrote down.</summary>
    public void Remove()
    {
        if (Read() == this)
            File.Delete(FilePath);
    }

    // A killed `up` leaves its file behind.
    private static bool IsAlive(int processId)
    {
        try
        {
            using var process = Process.GetProcessById(processId);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
