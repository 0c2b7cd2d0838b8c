using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Marketplace.Storage;
using Xunit;

namespace Marketplace.Tests.Infrastructure;

/// <summary>What a deployment of the bicep files would make: no key, no secret, nothing public that need not be, no more rights than needed.</summary>
public sealed partial class WhatIfTests
{
    private const string Account = "Microsoft.Storage/storageAccounts";
    private const string Role = "Microsoft.Authorization/roleAssignments";

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task No_key_is_read_and_no_secret_handed_over(string size)
    {
        foreach (var resource in await Bicep.ResourcesAsync(size))
        {
            var text = resource.Json.ToJsonString();
            Assert.False(KeyFunctions().IsMatch(text), $"{resource} reads keys.");
            Assert.False(Credentials().IsMatch(text), $"{resource} holds a credential.");
        }

        Assert.DoesNotContain(Templates(await Bicep.TemplateAsync()).SelectMany(Members("parameters")), p => p.Value!["type"]?.GetValue<string>().StartsWith("secure", StringComparison.OrdinalIgnoreCase) == true);
        Assert.DoesNotMatch(KeyFunctions(), (await Bicep.TemplateAsync()).ToJsonString());
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task Storage_takes_identities_only_and_shows_nothing_to_the_public(string size)
    {
        var resources = await Bicep.ResourcesAsync(size);
        var account = Assert.Single(resources, r => r.Type == Account);
        Assert.False(account["allowSharedKeyAccess"]!.GetValue<bool>());
        Assert.False(account["allowBlobPublicAccess"]!.GetValue<bool>());
        Assert.False(account["allowCrossTenantReplication"]!.GetValue<bool>());
        Assert.True(account["supportsHttpsTrafficOnly"]!.GetValue<bool>());
        Assert.Equal("TLS1_2", account["minimumTlsVersion"]!.GetValue<string>());

        Assert.All(resources.Where(r => r.Type == $"{Account}/blobServices/containers"), c => Assert.Equal("None", c["publicAccess"]!.GetValue<string>()));
        var blobs = Assert.Single(resources, r => r.Type == $"{Account}/blobServices");
        Assert.True(blobs["deleteRetentionPolicy", "enabled"]!.GetValue<bool>());
        Assert.True(blobs["containerDeleteRetentionPolicy", "enabled"]!.GetValue<bool>());
        Assert.DoesNotContain(resources, r => r["cors"] is not null);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task Only_staging_is_deleted_by_its_age(string size)
    {
        var lifecycle = Assert.Single(await Bicep.ResourcesAsync(size), r => r.Type == $"{Account}/managementPolicies");
        var definition = Assert.Single(lifecycle["policy", "rules"]!.AsArray())!["definition"]!;
        Assert.Equal(["staging/"], definition["filters"]!["prefixMatch"]!.AsArray().Select(p => p!.GetValue<string>()));
        var days = definition["actions"]!["baseBlob"]!["delete"]!["daysAfterModificationGreaterThan"]!.GetValue<int>();
        Assert.True(TimeSpan.FromDays(days) > new StorageOptions().UploadLifetime + new StorageOptions().SweepGrace, "Uploads may still be open, or swept.");
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task Everything_else_takes_identities_and_encrypted_connections_only(string size)
    {
        var resources = await Bicep.ResourcesAsync(size);
        var site = Assert.Single(resources, r => r.Type == "Microsoft.Web/sites");
        Assert.True(site["httpsOnly"]!.GetValue<bool>());
        Assert.Equal("1.2", site["siteConfig", "minTlsVersion"]!.GetValue<string>());
        Assert.Equal("1.2", site["siteConfig", "scmMinTlsVersion"]!.GetValue<string>());
        Assert.Equal("UserAssignedIdentity", site["functionAppConfig", "deployment", "storage", "authentication", "type"]!.GetValue<string>());
        Assert.Equal(
            [("ftp", false), ("scm", false)],
            resources.Where(r => r.Type == "Microsoft.Web/sites/basicPublishingCredentialsPolicies").Select(p => (p.Name, p["allow"]!.GetValue<bool>())).Order());

        Assert.True(Assert.Single(resources, r => r.Type == "Microsoft.Insights/components")["DisableLocalAuth"]!.GetValue<bool>());
        var workspace = Assert.Single(resources, r => r.Type == "Microsoft.OperationalInsights/workspaces");
        Assert.True(workspace["features", "disableLocalAuth"]!.GetValue<bool>());
        Assert.True(workspace["workspaceCapping", "dailyQuotaGb"]!.GetValue<int>() > 0);
        Assert.False(Assert.Single(resources, r => r.Type == "Microsoft.ContainerRegistry/registries")["adminUserEnabled"]!.GetValue<bool>());
        Assert.All(resources.Where(r => r.Json["identity"] is not null), r => Assert.Equal("UserAssigned", r.Json["identity"]!["type"]!.GetValue<string>()));
    }

    [Theory]
    [InlineData("dev", "2 cpu")]
    [InlineData("prod", "2 cuda")]
    public async Task The_kernels_go_to_none_and_are_scaled_by_their_queue_with_their_identity(string size, string kernel)
    {
        var resources = await Bicep.ResourcesAsync(size);
        var app = Assert.Single(resources, r => r.Type == "Microsoft.App/containerApps");
        Assert.Equal(0, app["template", "scale", "minReplicas"]!.GetValue<int>());
        var rule = Assert.Single(app["template", "scale", "rules"]!.AsArray())!["azureQueue"]!;
        Assert.Equal(QueueNames.KernelJobs, rule["queueName"]!.GetValue<string>());
        var identity = Assert.Single(resources, r => r.Type == "Microsoft.ManagedIdentity/userAssignedIdentities" && r.Name.Contains("kernels", StringComparison.Ordinal));
        Assert.Equal(identity.Id, rule["identity"]!.GetValue<string>());
        Assert.Null(rule["auth"]);
        Assert.Null(app["configuration", "secrets"]);
        Assert.Null(app["configuration", "ingress"]);
        Assert.Equal(identity.Id, Assert.Single(app["configuration", "registries"]!.AsArray())!["identity"]!.GetValue<string>());

        var container = Assert.Single(app["template", "containers"]!.AsArray())!;
        Assert.All(container["probes"]!.AsArray(), probe => Assert.Equal("/health", probe!["httpGet"]!["path"]!.GetValue<string>()));
        Assert.Contains(container["probes"]!.AsArray(), probe => probe!["type"]!.GetValue<string>() == "Liveness");
        var device = kernel.Split(' ')[1];
        Assert.Equal(device == "cuda" ? "gpu" : "Consumption", app["workloadProfileName"]!.GetValue<string>());
        Assert.Equal(device, container["env"]!.AsArray().Single(e => e!["name"]!.GetValue<string>() == "Marketplace__Kernels__Device")!["value"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task The_kernels_may_use_single_containers_queues_and_tables_and_none_of_the_APIs_own(string size)
    {
        var scopes = (await Bicep.ResourcesAsync(size)).Where(r => r.Type == Role && r["principalId"]!.GetValue<string>().Contains("id-marketplace-kernels", StringComparison.Ordinal))
            .Select(r => r.Id[..r.Id.IndexOf("/providers/Microsoft.Authorization", StringComparison.Ordinal)]).ToList();
        var data = scopes.Where(s => s.Contains(Account, StringComparison.Ordinal)).ToList();
        Assert.All(data, s => Assert.Matches("/(blobServices/default/containers|queueServices/default/queues|tableServices/default/tables)/[^/]+$", s));
        var names = data.Select(s => string.Join('/', s.Split('/')[^2..])).ToList();
        Assert.Contains("containers/content", names);
        Assert.Contains("tables/jobs", names);
        Assert.Equal(["queues/kernel-jobs", "queues/kernel-jobs-poison"], names.Where(n => n.StartsWith("queues/", StringComparison.Ordinal)).Order());
        Assert.Empty(names.Intersect(["containers/staging", "containers/packages", "tables/identities", "tables/keys", "tables/secrets", "tables/uploads"]));
        Assert.Equal(
            ["Microsoft.ContainerRegistry/registries", "Microsoft.Insights/components"],
            scopes.Except(data).Select(s => string.Join('/', s.Split('/')[^3..^1])).Order());
    }

    [Fact]
    public async Task Roles_are_assigned_in_one_file_and_nobody_may_touch_production_past_the_API()
    {
        var files = Directory.GetFiles(Bicep.Folder, "*.bicep", SearchOption.AllDirectories).Where(f => File.ReadAllText(f).Contains(Role, StringComparison.Ordinal));
        Assert.Equal("rbac.bicep", Path.GetFileName(Assert.Single(files)));
        Assert.Contains(await Bicep.ResourcesAsync("dev"), r => r.Type == Role && r["principalType"]!.GetValue<string>() == "User");
        Assert.DoesNotContain(await Bicep.ResourcesAsync("prod"), r => r.Type == Role && r["principalType"]!.GetValue<string>() != "ServicePrincipal");
        // Neither owner nor contributor of anything but data.
        Assert.All((await Bicep.ResourcesAsync("dev")).Where(r => r.Type == Role), r => Assert.DoesNotMatch(
            "8e3af657-a8ff-443c-a75c-2fe8c4bcb635|b24988ac-6180-42a0-ab88-20f7382dd24c|18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", r["roleDefinitionId"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Every_parameter_output_and_type_is_described()
    {
        foreach (var template in Templates(await Bicep.TemplateAsync()))
        {
            var described = new[] { "parameters", "outputs", "definitions" }.SelectMany(kind => Members(kind)(template))
                .Concat(Members("definitions")(template).Where(d => d.Value!["properties"] is not null).SelectMany(d => d.Value!["properties"]!.AsObject().Select(p => KeyValuePair.Create($"{d.Key}.{p.Key}", p.Value))));
            Assert.All(described, d =>
                Assert.False(string.IsNullOrWhiteSpace(d.Value!["metadata"]?["description"]?.GetValue<string>()), $"'{d.Key}' is not described."));
        }
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task Mails_are_sent_when_messages_are_poison_jobs_fail_or_money_goes(string size)
    {
        var resources = await Bicep.ResourcesAsync(size);
        var receivers = Assert.Single(resources, r => r.Type == "Microsoft.Insights/actionGroups");
        Assert.Equal(2, receivers["emailReceivers"]!.AsArray().Count);
        var alerts = resources.Where(r => r.Type == "Microsoft.Insights/scheduledQueryRules").ToList();
        Assert.Equal(
            ["failed-jobs", "log-cap", "poison", "queue-age", "queue-stuck", "server-errors"],
            alerts.Select(a => a.Name[$"marketplace-{size}-".Length..]).Order(StringComparer.Ordinal));
        Assert.All(alerts, a => Assert.Equal([receivers.Id], a["actions", "actionGroups"]!.AsArray().Select(g => g!.GetValue<string>())));

        var budget = Assert.Single(resources, r => r.Type == "Microsoft.Consumption/budgets");
        Assert.True(budget["amount"]!.GetValue<int>() > 0);
        Assert.All(budget["notifications"]!.AsObject(), n => Assert.Equal(2, n.Value!["contactEmails"]!.AsArray().Count));
        Assert.Equal(size == "prod", resources.Any(r => r.Type == "Microsoft.Insights/webtests"));
    }

    private static IEnumerable<JsonNode> Templates(JsonNode template) =>
        Resources(template).Where(r => r["type"]?.GetValue<string>() == "Microsoft.Resources/deployments").Select(r => r["properties"]!["template"]!).SelectMany(Templates).Prepend(template);

    // An object of symbolic names, or a list.
    private static IEnumerable<JsonNode> Resources(JsonNode template) =>
        (template["resources"] is JsonArray list ? list : template["resources"]?.AsObject().Select(r => r.Value) ?? []).OfType<JsonNode>();

    private static Func<JsonNode, IEnumerable<KeyValuePair<string, JsonNode?>>> Members(string name) => template => template[name]?.AsObject() ?? [];

    [GeneratedRegex(@"\blist[A-Z]\w*\s*\(")]
    private static partial Regex KeyFunctions();

    [GeneratedRegex(@"AccountKey=|SharedAccess|[?&]sig=|""[^""]*([Pp]assword|[Ss]ecret|AdminKey)""\s*:\s*""|hf_[A-Za-z0-9]{20}")]
    private static partial Regex Credentials();
}
