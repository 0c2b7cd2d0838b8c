using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Marketplace.Functions.Http;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Marketplace.Tests.Infrastructure;

/// <summary>azure.yaml, its hooks, the Dockerfile and the dashboard: what they name must exist.</summary>
public sealed partial class DeploymentFilesTests
{
    private static readonly string Root = Fixtures.Repository;

    [Fact]
    public async Task The_services_of_azd_are_those_of_the_template()
    {
        var azd = Azd();
        var services = (YamlMappingNode)azd["services"];
        var tags = (await Bicep.ResourcesAsync("dev")).Select(r => r.Json["tags"]?["azd-service-name"]?.GetValue<string>()).OfType<string>();
        Assert.Equal(tags.Order(StringComparer.Ordinal), services.Children.Keys.Select(k => ((YamlScalarNode)k).Value!).Order(StringComparer.Ordinal));

        Assert.True(File.Exists(Path.Combine(Root, Text(azd["infra"]["path"]), Text(azd["infra"]["module"]) + ".bicepparam")));
        Assert.True(File.Exists(Path.Combine(Root, Text(services["kernels"]["docker"]["path"]))));
        // The build argument is an output, so that the image is for the device that was deployed.
        var argument = Text(services["kernels"]["docker"]["buildArgs"][0]);
        Assert.Contains(Dockerfile(), l => l.StartsWith($"ARG {argument.Split('=')[0]}=", StringComparison.Ordinal));
        var outputs = (await Bicep.TemplateAsync())["outputs"]!.AsObject().Select(o => o.Key);
        Assert.Contains(argument.Split('=')[1].Trim('$', '{', '}'), outputs);
        Assert.Contains("AZURE_CONTAINER_REGISTRY_ENDPOINT", outputs);
    }

    [Fact]
    public void Hooks_exist_and_can_be_run()
    {
        var hooks = Azd().AllNodes.OfType<YamlMappingNode>().SelectMany(n => n.Children).Where(c => c.Key is YamlScalarNode { Value: "run" }).Select(c => Text(c.Value)).ToList();
        Assert.NotEmpty(hooks);
        foreach (var hook in hooks.Distinct())
        {
            var path = Path.Combine(Root, hook);
            Assert.StartsWith("#!/bin/sh\n", File.ReadAllText(path), StringComparison.Ordinal);
            if (!OperatingSystem.IsWindows())
                Assert.True(File.GetUnixFileMode(path).HasFlag(UnixFileMode.UserExecute), $"{hook} is not executable.");
        }

        // The package goes where azd looks for it, and has the worker host.
        var package = File.ReadAllText(Path.Combine(Root, "infra", "hooks", "package-functions.sh"));
        Assert.Contains($"-o {Text(Azd()["services"]["functions"]["dist"])}", package, StringComparison.Ordinal);
        Assert.Contains("-p:FunctionsWorker=true", package, StringComparison.Ordinal);
    }

    [Fact]
    public void The_registration_has_the_roles_that_the_code_knows_and_the_first_admin_gets_that_one()
    {
        var roles = JsonNode.Parse(File.ReadAllText(Path.Combine(Root, "infra", "hooks", "app-roles.json")))!.AsArray();
        Assert.Equal(EntraTokens.Roles.Keys.Order(StringComparer.Ordinal), roles.Select(r => r!["value"]!.GetValue<string>()).Order(StringComparer.Ordinal));
        Assert.Equal(roles.Count, roles.Select(r => r!["id"]!.GetValue<Guid>()).Distinct().Count());
        var admin = roles.Single(r => r!["value"]!.GetValue<string>() == EntraTokens.Roles.Single(r => r.Value == KeyScope.Admin).Key)!["id"]!.GetValue<string>();
        Assert.Contains($"admin={admin}", File.ReadAllText(Path.Combine(Root, "infra", "hooks", "preprovision.sh")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_image_is_built_from_files_that_exist_and_that_the_context_has()
    {
        var kept = File.ReadAllLines(Path.Combine(Root, ".dockerignore")).Where(l => l.StartsWith('!')).Select(l => l[1..]).ToList();
        var copied = Dockerfile().Where(l => l.StartsWith("COPY ", StringComparison.Ordinal) && !l.Contains("--from", StringComparison.Ordinal))
            .SelectMany(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..^1]).ToList();
        Assert.NotEmpty(copied);
        foreach (var source in copied)
        {
            Assert.True(Path.Exists(Path.Combine(Root, source)), $"{source} is not there.");
            Assert.True(kept.Any(k => source == k || source.StartsWith(k + "/", StringComparison.Ordinal)), $".dockerignore leaves out {source}.");
        }

        // A restore reads every project that the kernels refer to.
        Assert.Empty(Projects("kernels/Marketplace.Kernels.csproj").Except(copied));
    }

    [Fact]
    public void The_image_is_on_Ubuntu_runs_as_nobody_in_particular_and_says_how_it_is()
    {
        var lines = Dockerfile();
        var last = lines.ToList().FindLastIndex(l => l.StartsWith("FROM ", StringComparison.Ordinal));
        Assert.Contains("aspnet:", lines[last], StringComparison.Ordinal);
        Assert.Contains("ARG DOTNET=10.0-noble", lines);
        Assert.Equal("USER $APP_UID", Assert.Single(lines[last..], l => l.StartsWith("USER ", StringComparison.Ordinal)));
        Assert.Contains(lines[last..], l => l.StartsWith("HEALTHCHECK ", StringComparison.Ordinal));
        Assert.Contains("/health", string.Join('\n', lines[last..]), StringComparison.Ordinal);
        Assert.Contains("app.MapGet(\"/health\"", File.ReadAllText(Path.Combine(Root, "kernels", "KernelHost.cs")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_dashboard_is_whole_and_reads_the_workspace()
    {
        var resources = await Bicep.ResourcesAsync("dev");
        var workspace = resources.Single(r => r.Type == "Microsoft.OperationalInsights/workspaces").Id;
        var workbook = JsonNode.Parse(Assert.Single(resources, r => r.Type == "Microsoft.Insights/workbooks")["serializedData"]!.GetValue<string>())!;
        var queries = workbook["items"]!.AsArray().Where(i => i!["type"]!.GetValue<int>() == 3).ToList();
        Assert.True(queries.Count >= 12);
        Assert.All(queries, i => Assert.Equal(workspace, Assert.Single(i!["content"]!["crossComponentResources"]!.AsArray())!.GetValue<string>()));
        Assert.Equal(queries.Count, queries.Select(i => i!["name"]!.GetValue<string>()).Distinct().Count());
        Assert.DoesNotContain("{workspace-id}", workbook.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Alerts_and_dashboard_ask_for_instruments_that_exist()
    {
        var asked = new[] { Path.Combine(Bicep.Folder, "modules", "alerts.bicep"), Path.Combine(Bicep.Folder, "workbooks", "marketplace.workbook.json") }
            .SelectMany(f => Instruments().Matches(File.ReadAllText(f)).Select(m => m.Value)).Distinct().ToList();
        Assert.True(asked.Count >= 8);
        var code = string.Concat(new[] { "shared", "functions", "kernels" }
            .SelectMany(f => Directory.GetFiles(Path.Combine(Root, f), "*.cs", SearchOption.AllDirectories)).Select(File.ReadAllText).Where(t => t.Contains("Meter", StringComparison.Ordinal)));
        Assert.All(asked, name => Assert.Contains($"\"{name}\"", code, StringComparison.Ordinal));
    }

    private static YamlMappingNode Azd()
    {
        var yaml = new YamlStream();
        using var reader = File.OpenText(Path.Combine(Root, "azure.yaml"));
        yaml.Load(reader);
        return (YamlMappingNode)yaml.Documents[0].RootNode;
    }

    private static string Text(YamlNode node) => ((YamlScalarNode)node).Value!;

    private static string[] Dockerfile() => File.ReadAllLines(Path.Combine(Root, "kernels", "Dockerfile"));

    private static IEnumerable<string> Projects(string project)
    {
        var folder = Path.GetDirectoryName(project)!;
        return XDocument.Load(Path.Combine(Root, project)).Descendants("ProjectReference").Select(r => r.Attribute("Include")!.Value)
            .Select(path => Path.GetRelativePath(Root, Path.GetFullPath(Path.Combine(Root, folder, path))).Replace('\\', '/')).SelectMany(Projects).Prepend(project).Distinct();
    }

    [GeneratedRegex(@"marketplace\.(queue|job|published|downloaded|rejects|problems|messages)[a-z.]*")]
    private static partial Regex Instruments();
}
