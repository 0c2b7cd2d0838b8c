using Azure.Data.Tables;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using OpenTelemetry;

namespace Marketplace.Storage;

/// <summary>The marketplace's data: one store for each kind, over the clients of one storage account.</summary>
public sealed class MarketplaceStorage
{
    /// <summary>How messages are written; the host of Azure Functions has to read them the same way.</summary>
    public const QueueMessageEncoding MessageEncoding = QueueMessageEncoding.Base64;

    private readonly List<BlobContainerClient> containers = [];
    private readonly List<Table> tables = [];

    /// <summary>Stores at the place that <paramref name="options"/> name. Nothing is contacted yet.</summary>
    /// <exception cref="ArgumentException">The options name no place, or the namespace is not one.</exception>
    public MarketplaceStorage(StorageOptions options, TimeProvider? clock = null)
    {
        (Options, Clock) = (options, clock ?? TimeProvider.System);
        var names = new Names(options.Namespace);
        var (blobs, queues, tableService) = Clients(options);
        BlobContainerClient Container(string name) => Kept(containers, blobs.GetBlobContainerClient(names.Container(name)));
        Table Named(string name) => Kept(tables, new Table(tableService.GetTableClient(names.Table(name))));

        var signer = new SasSigner(blobs, Clock);
        Content = new ContentStore(Container("content"), signer, Clock);
        var staging = Container("staging");
        Staging = new StagingStore(staging, signer);
        StagedObjects = new ObjectStaging(staging, signer);
        Derived = new DerivedStore(Container("derived"), signer, Clock);
        SketchPacks = new SketchPackStore(Container("sketches"));
        Reports = new ReportStore(Container("reports"));
        Keys = new KeyStore(Named("keys"), Clock);
        Publishers = new PublisherStore(Named("publishers"), Clock);
        Identities = new IdentityStore(Named("identities"), Clock);
        Usage = new UsageStore(Named("usage"), options.Quotas, Clock);
        var members = new LibraryMembers(Named("libraries"));
        Adapters = new AdapterStore(Named("adapters"), members, Clock);
        Arrivals = new ArrivalStore(Named("arrivals"), Adapters);
        Libraries = new LibraryStore(members, Adapters, Named("snapshots"), Container("snapshots"), Clock);
        Tags = new TagStore(Named("tags"));
        Versions = new VersionStore(Named("versions"), Adapters, Tags);
        Uploads = new UploadStore(Named("uploads"), Usage);
        Repositories = new RepositoryStore(Named("repositories"));
        Variants = new VariantStore(Named("variants"));
        LfsObjects = new LfsObjectStore(Named("lfsobjects"));
        var baseModels = Named("basemodels");
        BaseModels = new BaseModelStore(baseModels, Clock);
        Registrations = new RegistrationStore(baseModels, Clock);
        ContentIndex = new ContentIndex(Named("contents"), Versions, Registrations, Repositories, Uploads);
        Descendants = new DescendantStore(Named("descendants"), Versions);
        TakedownIndex = new TakedownIndex(Named("takedowns"));
        DeletionIndex = new DeletionIndex(Named("deletions"), Clock);
        Subspaces = new SubspaceStore(Named("subspaces"));
        Collections = new CollectionStore(Named("collections"), Container("collections"), Adapters, Clock);
        Routers = new RouterStore(Container("routers"), signer, Clock, Adapters);
        Audit = new AuditLog(Named("audit"));
        Jobs = new JobStore(Named("jobs"), Named("secrets"), Clock, Audit);
        EvaluationSets = new EvaluationSetStore(Named("evaluationsets"), Named("evaluationsetversions"), Content, Clock);
        EvaluationResults = new EvaluationResultStore(Named("evaluations"), Container("evaluations"), signer, Clock, EvaluationSets, Adapters, Jobs);
        Queues = new JobQueue(queues, names, options);
        Catalogue = new Catalogue(this);
        Commit = new VersionCommit(this);
        Takedowns = new Takedowns(this);
        Deletion = new Deletion(this);
        Sweep = new Sweep(this);
        Recount = new UsageRecount(this);
    }

    /// <summary>Bytes by digest.</summary>
    public ContentStore Content { get; }

    /// <summary>Bytes on their way in.</summary>
    public StagingStore Staging { get; }

    /// <summary>Single objects on their way in, from clients of Git LFS.</summary>
    public ObjectStaging StagedObjects { get; }

    /// <summary>Results of analysis.</summary>
    public DerivedStore Derived { get; }

    /// <summary>Sketches of whole libraries.</summary>
    public SketchPackStore SketchPacks { get; }

    /// <summary>Validation and merge reports.</summary>
    public ReportStore Reports { get; }

    /// <summary>API keys.</summary>
    public KeyStore Keys { get; }

    /// <summary>Accounts.</summary>
    public PublisherStore Publishers { get; }

    /// <summary>Identities of the tenant that act as accounts.</summary>
    public IdentityStore Identities { get; }

    /// <summary>What accounts use, and what they may use.</summary>
    public UsageStore Usage { get; }

    /// <summary>Adapters and their pointers.</summary>
    public AdapterStore Adapters { get; }

    /// <summary>Versions.</summary>
    public VersionStore Versions { get; }

    /// <summary>Names of versions.</summary>
    public TagStore Tags { get; }

    /// <summary>Uploads.</summary>
    public UploadStore Uploads { get; }

    /// <summary>What the Hub's protocol knows of adapters beyond their versions.</summary>
    public RepositoryStore Repositories { get; }

    /// <summary>Versions in other forms, by their commit ids.</summary>
    public VariantStore Variants { get; }

    /// <summary>Whose the staged objects are.</summary>
    public LfsObjectStore LfsObjects { get; }

    /// <summary>Uses of bytes.</summary>
    public ContentIndex ContentIndex { get; }

    /// <summary>Lineage backwards.</summary>
    public DescendantStore Descendants { get; }

    /// <summary>Base models and aliases.</summary>
    public BaseModelStore BaseModels { get; }

    /// <summary>Files of base models.</summary>
    public RegistrationStore Registrations { get; }

    /// <summary>Input subspaces of adapters that are trained to be orthogonal.</summary>
    public SubspaceStore Subspaces { get; }

    /// <summary>Libraries and clusterings.</summary>
    public LibraryStore Libraries { get; }

    /// <summary>Adapters placed into clusterings.</summary>
    public ArrivalStore Arrivals { get; }

    /// <summary>Collections of derived versions.</summary>
    public CollectionStore Collections { get; }

    /// <summary>Routers.</summary>
    public RouterStore Routers { get; }

    /// <summary>Jobs.</summary>
    public JobStore Jobs { get; }

    /// <summary>Evaluation sets.</summary>
    public EvaluationSetStore EvaluationSets { get; }

    /// <summary>Results of evaluations.</summary>
    public EvaluationResultStore EvaluationResults { get; }

    /// <summary>Audit events.</summary>
    public AuditLog Audit { get; }

    /// <summary>Queues.</summary>
    public JobQueue Queues { get; }

    /// <summary>Visibility and aliases of adapters.</summary>
    public Catalogue Catalogue { get; }

    /// <summary>Publishing.</summary>
    public VersionCommit Commit { get; }

    /// <summary>Taking adapters down, and restoring them.</summary>
    public Takedowns Takedowns { get; }

    /// <summary>Deleting adapters.</summary>
    public Deletion Deletion { get; }

    /// <summary>Removal of what nothing refers to.</summary>
    public Sweep Sweep { get; }

    /// <summary>Makes what accounts are charged agree with what they have published.</summary>
    public UsageRecount Recount { get; }

    /// <summary>The options in force.</summary>
    public StorageOptions Options { get; }

    internal TimeProvider Clock { get; }

    internal TakedownIndex TakedownIndex { get; }

    internal DeletionIndex DeletionIndex { get; }

    /// <summary>Creates the containers, tables and queues that are missing, unless the options say that they are there.</summary>
    public async Task CreateAllAsync(CancellationToken ct = default)
    {
        if (!Options.CreateMissing)
            return;
        // At each start, and hardly ever does it create anything.
        using var silent = SuppressInstrumentationScope.Begin();
        await Task.WhenAll(
        [
            .. containers.Select(c => c.CreateIfNotExistsAsync(cancellationToken: ct)),
            .. tables.Select(t => t.CreateAsync(ct)),
            .. QueueNames.All.SelectMany(q => new[] { q, QueueNames.Poison(q) }).Select(q => Queues.Client(q).CreateIfNotExistsAsync(cancellationToken: ct)),
        ]);
    }

    /// <summary>Asks blobs, queues and tables for something small; returns if all three answer.</summary>
    public Task PingAsync(CancellationToken ct = default) => Task.WhenAll(
        containers[0].ExistsAsync(ct), Queues.Client(QueueNames.Validations).ExistsAsync(ct), Uploads.GetAsync(new string('0', 32), ct));

    private static (BlobServiceClient, QueueServiceClient, TableServiceClient) Clients(StorageOptions options)
    {
        var (blobs, messages, rows) = (new BlobClientOptions(), new QueueClientOptions { MessageEncoding = MessageEncoding }, new TableClientOptions());
        if (options.Transport is { } transport)
            blobs.Transport = messages.Transport = rows.Transport = transport;
        if (options.ConnectionString is { Length: > 0 } connection)
            return (new(connection, blobs), new(connection, messages), new(connection, rows));
        if (options is not { BlobServiceUri: { } blob, QueueServiceUri: { } queue, TableServiceUri: { } table })
            throw new ArgumentException("Storage needs a connection string, or the addresses of its blob, queue and table services.", nameof(options));
        var credential = options.Identity ?? options.Credential();
        return (new(blob, credential, blobs), new(queue, credential, messages), new(table, credential, rows));
    }

    private static T Kept<T>(List<T> list, T item)
    {
        list.Add(item);
        return item;
    }
}
