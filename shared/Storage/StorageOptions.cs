using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Identity;

namespace Marketplace.Storage;

/// <summary>Where the marketplace keeps its data: a connection string, or service addresses reached with an identity.</summary>
public sealed class StorageOptions
{
    /// <summary>The configuration section these options are bound from.</summary>
    public const string Section = "Storage";

    /// <summary>An account's connection string; wins over the service addresses.</summary>
    public string? ConnectionString { get; set; }

    /// <summary>Address of the blob service, for identity-based access.</summary>
    public Uri? BlobServiceUri { get; set; }

    /// <summary>Address of the queue service, for identity-based access.</summary>
    public Uri? QueueServiceUri { get; set; }

    /// <summary>Address of the table service, for identity-based access.</summary>
    public Uri? TableServiceUri { get; set; }

    /// <summary>Client id of a user-assigned identity; without it the default credential chain is used.</summary>
    public string? ManagedIdentityClientId { get; set; }

    /// <summary>Prefix of every container, queue and table, so that several deployments can share one account.</summary>
    public string Namespace { get; set; } = "";

    /// <summary>
    /// Whether a process creates the containers, queues and tables that are missing when it starts. On Azure the bicep files do, and the kernels have no right to.
    /// </summary>
    public bool CreateMissing { get; set; } = true;

    /// <summary>How long a received message stays hidden; renewed at a third of it while its handler runs. Whole seconds, at least one.</summary>
    public TimeSpan MessageLease { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long an upload stays open, and its signed addresses valid.</summary>
    public TimeSpan UploadLifetime { get; set; } = TimeSpan.FromMinutes(60);

    /// <summary>Age below which the sweep leaves unreferenced bytes alone; longer than any publish takes.</summary>
    public TimeSpan SweepGrace { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long an adapter that was taken down can be restored; then the sweep gives up its bytes.</summary>
    public TimeSpan TakedownRetention { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long audit events are kept.</summary>
    public TimeSpan AuditRetention { get; set; } = TimeSpan.FromDays(400);

    /// <summary>Deliveries of a message after which it is poison.</summary>
    public int MaxDeliveries { get; set; } = 5;

    /// <summary>Longest pause between two looks at an empty queue; the first is 50 ms.</summary>
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a message stays hidden after its handler failed, times the number of deliveries.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long handlers may go on after a stop was asked for.</summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes of published content that a process keeps on its local disk.</summary>
    public long LocalCacheBytes { get; set; } = 4L << 30;

    /// <summary>Bytes of base models that a process keeps on its local disk.</summary>
    public long LocalModelBytes { get; set; } = 64L << 30;

    /// <summary>Bytes of sketches that a process keeps in memory; an adapter's take 8 KiB.</summary>
    public long SketchCacheBytes { get; set; } = 256L << 20;

    /// <summary>What each account may use, unless an admin has set something else for it. Bound from the section <c>Marketplace:Limits</c>.</summary>
    public Quotas Quotas { get; set; } = new();

    /// <summary>The identity to use instead of those below, for whoever makes the options in code.</summary>
    internal TokenCredential? Identity { get; set; }

    /// <summary>How requests are sent; by default as the client libraries do.</summary>
    internal HttpPipelineTransport? Transport { get; set; }

    internal TokenCredential Credential() => ManagedIdentityClientId is { Length: > 0 } id
        ? new ManagedIdentityCredential(ManagedIdentityId.FromUserAssignedClientId(id))
        : new DefaultAzureCredential();
}
