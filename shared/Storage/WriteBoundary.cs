using System.Diagnostics;

namespace Marketplace.Storage;

/// <summary>The points of a publish between two writes, in order. A process may die at each of them and be started again.</summary>
public enum WriteBoundary
{
    /// <summary>The files are in the content store.</summary>
    Bytes,

    /// <summary>The sketch, prototypes and statistics are stored.</summary>
    Derived,

    /// <summary>The content index names the version that is about to exist.</summary>
    Index,

    /// <summary>The version row exists: the version is published.</summary>
    Row,

    /// <summary>The adapter's pointer names the version.</summary>
    MainPointer,

    /// <summary>The library has the version as member.</summary>
    Library,

    /// <summary>The handler is done and its message not yet deleted.</summary>
    MessageDelete,
}

internal static class WriteBoundaries
{
    /// <summary>Ends the process at the boundary that the options name: no finalizer, no handler, as a power cut would.</summary>
    public static void Reached(this StorageOptions options, WriteBoundary boundary)
    {
        if (options.KillAt == boundary)
            Process.GetCurrentProcess().Kill();
    }
}
