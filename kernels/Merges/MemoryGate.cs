namespace Marketplace.Kernels.Merges;

/// <summary>
/// Admits work side by side while what it needs together fits a limit; in the order in which it asks, so that something large is not overtaken for ever.
/// What is alone is always admitted.
/// </summary>
internal sealed class MemoryGate(long limit)
{
    private readonly object changed = new();
    private readonly HashSet<long> abandoned = []; // tickets of those who stopped waiting
    private long used;
    private long nextTicket;
    private long serving;

    /// <summary>Waits for the memory; disposing what is returned gives it back.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IDisposable Enter(long bytes, CancellationToken cancellation)
    {
        using var wake = cancellation.UnsafeRegister(_ => Wake(), null);
        lock (changed)
        {
            var ticket = nextTicket++;
            try
            {
                while (serving != ticket || (used > 0 && used + bytes > limit))
                {
                    cancellation.ThrowIfCancellationRequested();
                    Monitor.Wait(changed);
                }

                used += bytes;
                serving++;
                return new Admission(this, bytes);
            }
            catch (OperationCanceledException)
            {
                abandoned.Add(ticket);
                throw;
            }
            finally
            {
                while (abandoned.Remove(serving))
                    serving++;
                Monitor.PulseAll(changed);
            }
        }
    }

    private void Wake()
    {
        lock (changed)
            Monitor.PulseAll(changed);
    }

    private void Leave(long bytes)
    {
        lock (changed)
        {
            used -= bytes;
            Monitor.PulseAll(changed);
        }
    }

    private sealed class Admission(MemoryGate gate, long bytes) : IDisposable
    {
        public void Dispose() => gate.Leave(bytes);
    }
}
