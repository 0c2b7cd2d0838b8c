using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>
/// The member rows of libraries in memory, for searches that look at thousands of them: a look asks storage only for the rows that were written since the last one. Rows that were
/// removed stay until all are read again, so nothing may be said of a row before its adapter's own was read.
/// </summary>
internal sealed class LibraryRows(LibraryMembers members, TimeProvider clock)
{
    private const int MaxLibraries = 32;
    private static readonly TimeSpan Whole = TimeSpan.FromMinutes(5);

    // Timestamps are the service's; a row may be seen a little after one with a later timestamp.
    private static readonly TimeSpan Overlap = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Library> libraries = new(StringComparer.Ordinal);

    /// <summary>The rows that say the caller may see them, in no order.</summary>
    public async Task<IReadOnlyList<LibraryMember>> LookAsync(string baseModel, Caller caller, CancellationToken ct)
    {
        var library = Find(Keys.Model(baseModel));
        await library.Turn.WaitAsync(ct);
        try
        {
            var now = clock.GetUtcNow();
            if (now - library.Read > Whole || now < library.Read)
            {
                library.Rows.Clear();
                (library.Read, library.Newest) = (now, null);
            }

            await foreach (var (row, written, member) in members.ChangedAsync(baseModel, library.Newest - Overlap, ct))
            {
                library.Rows[row] = member;
                library.Newest = library.Newest > written ? library.Newest : written;
            }

            return [.. library.Rows.Values.Where(m => caller.CanSee(m.Adapter.Owner, m.Private))];
        }
        catch
        {
            library.Read = default; // what was read so far has gaps
            throw;
        }
        finally
        {
            library.Turn.Release();
        }
    }

    private Library Find(string key)
    {
        lock (gate)
        {
            if (libraries.TryGetValue(key, out var library))
                return library;
            if (libraries.Count >= MaxLibraries)
                libraries.Clear();
            return libraries[key] = new Library();
        }
    }

    private sealed class Library
    {
        public SemaphoreSlim Turn { get; } = new(1);

        public Dictionary<string, LibraryMember> Rows { get; } = new(StringComparer.Ordinal);

        public DateTimeOffset Read { get; set; }

        public DateTimeOffset? Newest { get; set; }
    }
}
