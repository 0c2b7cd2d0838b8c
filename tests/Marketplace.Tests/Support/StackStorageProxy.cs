using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Marketplace.Tests.Support;

/// <summary>
/// Stands between a host and its storage account, so that a test can hold, cut or follow single calls. It carries addresses and
/// signatures on unchanged: neither covers the host's name and port.
/// </summary>
internal sealed class StackStorageProxy : IAsyncDisposable
{
    private static readonly string[] Services = ["BlobEndpoint", "QueueEndpoint", "TableEndpoint"];

    private readonly WebApplication app;
    private readonly HttpClient client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ActivityHeadersPropagator = null });
    private readonly Dictionary<int, Uri> upstreams = [];
    private readonly ConcurrentDictionary<Watch, byte> watches = new();

    private StackStorageProxy(WebApplication app) => this.app = app;

    /// <summary>The account as seen through the proxy.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <summary>While false, nothing answers: storage is down.</summary>
    public bool Reachable { get; set; } = true;

    public static async Task<StackStorageProxy> StartAsync(string connectionString)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.AddServerHeader = false;
            foreach (var _ in Services)
                kestrel.Listen(IPAddress.Loopback, 0);
        });
        var proxy = new StackStorageProxy(builder.Build());
        proxy.app.Run(proxy.HandleAsync);
        await proxy.app.StartAsync();

        var settings = connectionString.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(s => s.Split('=', 2)).ToDictionary(s => s[0], s => s[1]);
        var addresses = proxy.app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        foreach (var (service, address) in Services.Zip(addresses.Select(a => new Uri(a))))
        {
            var upstream = new Uri(settings[service]);
            proxy.upstreams[address.Port] = upstream;
            settings[service] = new Uri(address, upstream.AbsolutePath).AbsoluteUri;
        }

        proxy.ConnectionString = string.Concat(settings.Select(s => $"{s.Key}={s.Value};"));
        return proxy;
    }

    /// <summary>
    /// Calls that <paramref name="matches"/> go through <paramref name="handle"/> until the result is disposed. What it neither
    /// forwards nor aborts is carried on after it.
    /// </summary>
    public IDisposable On(Func<StackStorageCall, bool> matches, Func<StackStorageCall, Task> handle)
    {
        var watch = new Watch(this, matches, handle);
        watches[watch] = 0;
        return watch;
    }

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        client.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var call = await StackStorageCall.ReadAsync(context, client, upstreams[context.Connection.LocalPort]);
        if (!Reachable)
        {
            call.Abort();
            return;
        }

        foreach (var watch in watches.Keys.Where(w => w.Matches(call)))
            await watch.Handle(call);
        if (!call.Aborted)
            await call.AnswerAsync();
    }

    private sealed record Watch(StackStorageProxy Proxy, Func<StackStorageCall, bool> Matches, Func<StackStorageCall, Task> Handle) : IDisposable
    {
        public void Dispose() => Proxy.watches.TryRemove(this, out _);
    }
}
