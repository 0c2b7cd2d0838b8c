using Azure.Core.Pipeline;
using Marketplace.Storage;

namespace Marketplace.Tests.Storage;

/// <summary>Another process at the same data, which ends at its nth write: that one does not arrive.</summary>
internal static class EndingProcess
{
    /// <summary>The process.</summary>
    public static MarketplaceStorage At(MarketplaceStorage storage, TimeProvider clock, int write) => new(
        new StorageOptions { ConnectionString = storage.Options.ConnectionString, Namespace = storage.Options.Namespace, Transport = new HttpClientTransport(new HttpClient(new EndingHandler(write))) }, clock);

    /// <summary>Whether the process ended before its work did.</summary>
    public static async Task<bool> EndsAsync(Func<Task> work)
    {
        try
        {
            await work();
            return false;
        }
        catch (ProcessEndedException)
        {
            return true;
        }
    }

    private sealed class ProcessEndedException : Exception;

    private sealed class EndingHandler(int write) : DelegatingHandler(new SocketsHttpHandler())
    {
        private int left = write;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            request.Method != HttpMethod.Get && Interlocked.Decrement(ref left) <= 0 ? throw new ProcessEndedException() : base.SendAsync(request, cancellationToken);
    }
}
