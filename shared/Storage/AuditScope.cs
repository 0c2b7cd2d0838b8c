namespace Marketplace.Storage;

/// <summary>
/// Surrounds what one request, message or timer does. Events that are written inside get its <see cref="Via"/>; if none is, whoever opened the scope writes one, so that no
/// function can forget. It flows with the asynchronous call, so that handlers need not pass it on.
/// </summary>
public sealed class AuditScope : IDisposable
{
    private static readonly AsyncLocal<AuditScope?> Ambient = new();

    private readonly AuditScope? outer;

    private AuditScope(string? via)
    {
        (Via, outer) = (via, Ambient.Value);
        Ambient.Value = this;
    }

    /// <summary>The innermost scope; null where nobody opened one.</summary>
    public static AuditScope? Current => Ambient.Value;

    /// <summary>The key or identity, queue or timer.</summary>
    public string? Via { get; }

    /// <summary>Whether an event was written inside.</summary>
    public bool Written { get; private set; }

    /// <summary>Whether the handler has said that there was nothing to do.</summary>
    public bool Idle { get; private set; }

    /// <summary>The subject, where the handler has named it.</summary>
    public string? Subject { get; private set; }

    /// <summary>More about it.</summary>
    public string? Detail { get; private set; }

    /// <summary>Opens a scope.</summary>
    public static AuditScope Begin(string? via) => new(via);

    /// <summary>Names what the event that will be written is about.</summary>
    public static void About(string subject, string? detail = null)
    {
        if (Current is { } scope)
            (scope.Subject, scope.Detail) = (subject, detail);
    }

    /// <summary>Says that nothing was changed, so that there is nothing to tell.</summary>
    public static void NothingDone()
    {
        if (Current is { } scope)
            scope.Idle = true;
    }

    /// <inheritdoc/>
    public void Dispose() => Ambient.Value = outer;

    internal void Wrote() => Written = true;
}
