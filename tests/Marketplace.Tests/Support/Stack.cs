using System.Security.Cryptography;
using Marketplace.Core.Api;
using Marketplace.Storage;
using Xunit;

namespace Marketplace.Tests.Support;

/// <summary>How a stack differs from the usual one.</summary>
internal sealed record StackSettings
{
    /// <summary>Whether the kernels run too.</summary>
    public bool Kernels { get; init; }

    /// <summary>Whether the functions reach storage through the proxy.</summary>
    public bool FunctionsThroughProxy { get; init; }

    /// <summary>Whether the kernels reach storage through the proxy.</summary>
    public bool KernelsThroughProxy { get; init; }

    /// <summary>Further variables for the hosts.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}

/// <summary>The marketplace as users run it, in a namespace of its own: the functions' process, the kernels' if asked for, and a way to look at storage.</summary>
internal sealed class Stack : IAsyncDisposable
{
    private readonly StackSettings settings;
    private readonly TemporaryFolder scratch = new();
    private readonly List<StackApi> clients = [];

    private Stack(StackSettings settings, string connectionString)
    {
        this.settings = settings;
        // The sweep of a test follows the test's own clock, so that it need not wait for what is to grow old.
        Storage = new MarketplaceStorage(new StorageOptions { ConnectionString = connectionString, Namespace = Namespace });
    }

    /// <summary>Prefix of this stack's containers, queues and tables.</summary>
    public string Namespace { get; } = "t" + RandomNumberGenerator.GetHexString(10, lowercase: true);

    /// <summary>The same data as the hosts see, without a proxy between.</summary>
    public MarketplaceStorage Storage { get; }

    /// <summary>Between the hosts and storage, if the settings ask for it.</summary>
    public StackStorageProxy Proxy { get; private set; } = null!;

    public StackProcess Functions { get; private set; } = null!;

    public StackProcess Kernels { get; private set; } = null!;

    public Uri Address { get; private set; } = null!;

    /// <summary>The operator.</summary>
    public StackApi Admin { get; private set; } = null!;

    /// <summary>A caller without a key.</summary>
    public StackApi Anonymous { get; private set; } = null!;

    private static string AdminKey { get; } = "hf_" + RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 37);

    public static async Task<Stack> StartAsync(string connectionString, StackSettings? settings = null)
    {
        var stack = new Stack(settings ?? new StackSettings(), connectionString);
        try
        {
            stack.Proxy = await StackStorageProxy.StartAsync(connectionString);
            await stack.Storage.CreateAllAsync();
            await Task.WhenAll(stack.StartFunctionsAsync(), stack.settings.Kernels ? stack.StartKernelsAsync() : Task.CompletedTask);
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the functions, for the first time or after their end.</summary>
    public async Task StartFunctionsAsync()
    {
        if (Functions is not null)
            await Functions.DisposeAsync();
        Functions = StackProcess.Start("Functions", Environment(settings.FunctionsThroughProxy));
        Address = await Functions.ListeningAsync();
        Admin = Caller(AdminKey);
        Anonymous = Caller(null);
    }

    /// <summary>Starts the kernels, for the first time or after their end.</summary>
    public async Task StartKernelsAsync()
    {
        if (Kernels is not null)
            await Kernels.DisposeAsync();
        Kernels = StackProcess.Start("Kernels", Environment(settings.KernelsThroughProxy));
        await Kernels.ListeningAsync();
    }

    /// <summary>A caller with a fresh key of an account.</summary>
    public async Task<StackApi> AccountAsync(string owner, string scope = "publish")
    {
        var key = await Admin.PostAsync<KeyView>("/keys", new CreateKeyRequest("test", scope, owner), 201);
        return Caller(key.Token);
    }

    /// <summary>A caller with that key at the present address; none is anonymous.</summary>
    public StackApi Caller(string? key)
    {
        clients.Add(new StackApi(Address, key));
        return clients[^1];
    }

    /// <summary>Runs a test; if it fails, what the hosts wrote goes into its output.</summary>
    public async Task RunAsync(Func<Task> test)
    {
        try
        {
            await test();
        }
        catch
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"Functions:\n{Functions?.Output}\nKernels:\n{Kernels?.Output}");
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Functions is not null)
            await Functions.DisposeAsync();
        if (Kernels is not null)
            await Kernels.DisposeAsync();
        if (Proxy is not null)
            await Proxy.DisposeAsync();
        clients.ForEach(c => c.Dispose());
        scratch.Dispose();
    }

    private Dictionary<string, string> Environment(bool throughProxy) => new(settings.Environment)
    {
        ["Storage__ConnectionString"] = throughProxy ? Proxy.ConnectionString : Storage.Options.ConnectionString!,
        ["Storage__Namespace"] = Namespace,
        ["Storage__MessageLease"] = "00:00:02",
        ["Storage__PollInterval"] = "00:00:00.5",
        ["Marketplace__AdminKey"] = AdminKey,
        ["ASPNETCORE_URLS"] = "http://127.0.0.1:0",
        // Processes this short never earn back what profiling and a heap for each core cost.
        ["DOTNET_TieredPGO"] = "0",
        ["DOTNET_gcServer"] = "0",
        // What a killed process leaves behind goes with the test.
        ["TMPDIR"] = scratch.Path,
    };
}
