using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Infrastructure;

/// <summary>The bicep files, compiled once for the whole run: the template, and for each size the resources that its deployment would make.</summary>
internal static class Bicep
{
    public const string Subscription = "00000000-0000-0000-0000-000000000001";

    private static readonly Lazy<Task<Output>> Run = new(RunAsync);

    /// <summary>The folder of the sources.</summary>
    public static string Folder { get; } = Path.Combine(Fixtures.Repository, "infra", "bicep");

    /// <summary>The compiled main template, modules and all.</summary>
    public static async Task<JsonNode> TemplateAsync() => (await CompiledAsync()).Template;

    /// <summary>What a deployment of a size would make; what is known only on Azure stands there as an expression.</summary>
    public static async Task<IReadOnlyList<Resource>> ResourcesAsync(string size) => (await CompiledAsync()).Resources[size];

    private static async Task<Output> CompiledAsync()
    {
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "The package of the bicep CLI is for Linux on x64.");
        return await Run.Value;
    }

    private static async Task<Output> RunAsync()
    {
        var tool = Path.Combine(Folder, "Bicep.Tool.csproj");
        // In one step the property is read before what the restore brings.
        await ProcessAsync(Folder, "dotnet", ["restore", tool, "--verbosity", "quiet"]);
        var bicep = (await ProcessAsync(Folder, "dotnet", ["msbuild", tool, "-getProperty:BicepPath"])).Trim();
        var sizes = new[] { "dev", "prod" };
        var template = ProcessAsync(Folder, bicep, ["build", "main.bicep", "--stdout"]);
        var resources = sizes.Select(size => SnapshotAsync(bicep, size)).ToList();
        return new(JsonNode.Parse(await template)!, sizes.Zip(await Task.WhenAll(resources)).ToDictionary(p => p.First, p => p.Second));
    }

    // The snapshot is written beside its parameters, so each size gets a copy of the files.
    private static async Task<IReadOnlyList<Resource>> SnapshotAsync(string bicep, string size)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Folder, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder.Path, Path.GetRelativePath(Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        await ProcessAsync(
            folder.Path, bicep,
            ["snapshot", "main.bicepparam", "--mode", "overwrite", "--subscription-id", Subscription, "--tenant-id", "00000000-0000-0000-0000-000000000002", "--location", "westeurope"],
            ("MARKETPLACE_SIZE", size), ("MARKETPLACE_ALERT_EMAILS", "ops@example.org,on-call@example.org"), ("MARKETPLACE_ALLOWED_NETWORKS", ""),
            ("MARKETPLACE_ENTRA_AUDIENCE", "00000000-0000-0000-0000-000000000003"), ("AZURE_PRINCIPAL_ID", "00000000-0000-0000-0000-000000000004"),
            ("SERVICE_KERNELS_IMAGE_NAME", "example.azurecr.io/kernels:1"), ("AZURE_ENV_NAME", size), ("MARKETPLACE_KERNELS_DEVICE", ""), ("MARKETPLACE_BUDGET_START", "2026-12-01"));
        var snapshot = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder.Path, "main.snapshot.json")))!;
        Assert.Empty(snapshot["diagnostics"]!.AsArray());
        return [.. snapshot["predictedResources"]!.AsArray().Select(r => new Resource(r!))];
    }

    private static async Task<string> ProcessAsync(string folder, string file, string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{file} {string.Join(' ', arguments)}: {await errors}{output}");
        return output;
    }

    private sealed record Output(JsonNode Template, IReadOnlyDictionary<string, IReadOnlyList<Resource>> Resources);
}

/// <summary>A resource that a deployment would make.</summary>
/// <param name="Json">As the compiler predicts it.</param>
internal sealed record Resource(JsonNode Json)
{
    public string Type => Json["type"]!.GetValue<string>();

    public string Name => Json["name"]!.GetValue<string>().Split('/')[^1];

    public string Id => Json["id"]!.GetValue<string>();

    /// <summary>A property by its path within <c>properties</c>; null where it is not set.</summary>
    public JsonNode? this[params string[] path] => path.Aggregate(Json["properties"], (node, name) => node?[name]);

    public override string ToString() => $"{Type} {Name}";
}
