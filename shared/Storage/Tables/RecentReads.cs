using System.Collections.Concurrent;

namespace Marketplace.Storage;

/// <summary>
/// What was read at most a second ago. Those who ask for the same at the same time share one read. A write of this process is heard of at once: from its acknowledgement on, nobody gets what was read before it.
/// Writes of other processes are noticed within <see cref="Lifetime"/> (ADR 28).
/// </summary>
internal sealed class RecentReads<T>(TimeProvider clock)
    where T : class
{
    /// <summary>For how long a read is good, from its beginning.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(1);

    private const int MaxEntries = 10_000;

    private readonly ConcurrentDictionary<Key, Entry> entries = new();

    /// <summary>What is there, perhaps as of a moment ago.</summary>
    /// <param name="key">Its address.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="keepAbsence">Whether that there is nothing is kept, too.</param>
    /// <param name="ct">Ends the waiting, and not the read that others may wait for.</param>
    public async Task<T?> GetAsync(Key key, Func<Task<T?>> read, bool keepAbsence, CancellationToken ct)
    {
        if (!entries.TryGetValue(key, out var entry) || IsOld(entry))
        {
            if (entries.Count >= MaxEntries)
                entries.Clear();
            var fresh = new Entry(new Lazy<Task<T?>>(read), clock.GetTimestamp());
            entry = entries.AddOrUpdate(key, fresh, (_, present) => IsOld(present) ? fresh : present);
        }

        try
        {
            var found = await entry.Read.Value.WaitAsync(ct);
            if (found is null && !keepAbsence)
                Remove(key, entry);
            return found;
        }
        catch
        {
            if (!entry.Read.IsValueCreated || entry.Read.Value.IsCompleted)
                Remove(key, entry);
            throw;
        }
    }

    /// <summary>Forgets what was read of a row; to be called when a write of it has come back, whatever became of it.</summary>
    public void Forget(Key key) => entries.TryRemove(key, out _);

    private bool IsOld(Entry entry) => clock.GetElapsedTime(entry.At) >= Lifetime;

    private void Remove(Key key, Entry entry) => entries.TryRemove(KeyValuePair.Create(key, entry));

    // Compared by reference: the entry itself, and no other that may stand in its place.
    private sealed class Entry(Lazy<Task<T?>> read, long at)
    {
        public Lazy<Task<T?>> Read { get; } = read;

        public long At { get; } = at;
    }
}
