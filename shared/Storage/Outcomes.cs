using System.Collections.Immutable;

namespace Marketplace.Storage;

/// <summary>What became of a create-only write.</summary>
public enum AddResult
{
    /// <summary>The row is new.</summary>
    Added,

    /// <summary>A row of that name is there already; nothing was written.</summary>
    AlreadyExists,
}

/// <summary>What became of a write guarded by an ETag.</summary>
public enum UpdateResult
{
    /// <summary>The row was replaced.</summary>
    Updated,

    /// <summary>Somebody else wrote the row since it was read; nothing was written.</summary>
    Conflict,

    /// <summary>The row is gone; nothing was written.</summary>
    NotFound,
}

/// <summary>One page of a list.</summary>
/// <param name="Items">The rows of the page.</param>
/// <param name="Continuation">Where the next page starts; null on the last one.</param>
public sealed record Page<T>(ImmutableArray<T> Items, string? Continuation);

/// <summary>A row or blob would break a limit of the storage service, which an emulator does not enforce.</summary>
public sealed class StorageLimitException(string message) : Exception(message);
