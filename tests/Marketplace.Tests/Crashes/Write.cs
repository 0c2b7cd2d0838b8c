using Marketplace.Tests.Support;

namespace Marketplace.Tests.Crashes;

/// <summary>The writes of a publish, in their order. Between any two of them, and during each, the process may die.</summary>
public enum Write
{
    /// <summary>Bytes of a file become content.</summary>
    Bytes,

    /// <summary>A result of analysis is stored.</summary>
    Derived,

    /// <summary>The content index names the version to come.</summary>
    Index,

    /// <summary>The version's row: the commit.</summary>
    Row,

    /// <summary>The adapter's pointer.</summary>
    MainPointer,

    /// <summary>The library's entry.</summary>
    Library,

    /// <summary>The outcome in the row of the upload or job.</summary>
    Outcome,

    /// <summary>The message that asked for it all goes.</summary>
    MessageDelete,
}

/// <summary>How the writes look to storage.</summary>
internal static class Writes
{
    /// <summary>Whether a call is the write.</summary>
    public static bool Is(this Write write, StackStorageCall call, string prefix) => write switch
    {
        Write.Bytes => call.Method == "PUT" && call.Path.StartsWith($"/{prefix}-content/sha256/", StringComparison.Ordinal) && call.Operation is null or "blocklist",
        Write.Derived => call.Method == "PUT" && call.Path.StartsWith($"/{prefix}-derived/", StringComparison.Ordinal),
        Write.Index => IsRow(call, $"{prefix}contents"),
        Write.Row => IsRow(call, $"{prefix}versions"),
        Write.MainPointer => IsRow(call, $"{prefix}adapters"),
        Write.Library => IsRow(call, $"{prefix}libraries"),
        Write.Outcome => (IsRow(call, $"{prefix}uploads") && call.Text.Contains("\"State\":\"Published\"", StringComparison.Ordinal))
            || (IsRow(call, $"{prefix}jobs") && call.Text.Contains("\"Status\":\"Succeeded\"", StringComparison.Ordinal)),
        Write.MessageDelete => call.Method == "DELETE" && call.Path.StartsWith($"/{prefix}-", StringComparison.Ordinal) && call.Path.Contains("/messages/", StringComparison.Ordinal),
        _ => throw new ArgumentOutOfRangeException(nameof(write)),
    };

    // POST adds a row, PUT and PATCH change one named in the path.
    private static bool IsRow(StackStorageCall call, string table) =>
        call.Method is "POST" or "PUT" or "PATCH" && (call.Path == $"/{table}" || call.Path.StartsWith($"/{table}(", StringComparison.Ordinal));
}
