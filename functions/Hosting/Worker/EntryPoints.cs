using Microsoft.Azure.Functions.Worker;

namespace Marketplace.Functions.Hosting.Worker;

/// <summary>
/// The methods that metadata names. Nobody calls them: their parameters tell the worker what to bind, and <see cref="TableExecutor"/> runs the functions.
/// </summary>
public static class EntryPoints
{
    public static void Http()
    {
    }

    public static void Queue(string item) => _ = item;

    public static void Timer()
    {
    }

    /// <summary>The SDK packs the host's extension for a kind of trigger only where it sees the attribute. The host is never told of this function.</summary>
    [Function(nameof(QueueExtension))]
    public static void QueueExtension([QueueTrigger("unused")] string item) => _ = item;
}
