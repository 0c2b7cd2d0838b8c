using System.Globalization;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Marketplace.Functions;
using Marketplace.Storage;
using Marketplace.Tests.Support;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace Marketplace.Tests.Infrastructure;

/// <summary>Settings that the bicep files and the sample give to the processes: the code must read every one of them.</summary>
public sealed partial class SettingsTests
{
    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task Every_setting_of_the_template_is_read(string size)
    {
        AssertRead(FunctionsSettings(await Bicep.ResourcesAsync(size)));
        AssertRead(KernelsSettings(await Bicep.ResourcesAsync(size)));
    }

    [Fact]
    public void Every_setting_of_the_sample_is_read()
    {
        var sample = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Repository, "local.settings.sample.json")))!;
        AssertRead(sample["Values"]!.AsObject().ToDictionary(v => v.Key, v => v.Value!.GetValue<string>()));
    }

    [Theory]
    [InlineData("dev", "cpu")]
    [InlineData("prod", "cuda")]
    public async Task Jobs_are_named_after_the_kernels_that_run_them(string size, string device)
    {
        var source = File.ReadAllText(Path.Combine(Fixtures.Repository, "kernels", "KernelIdentity.cs"));
        var formulas = Formulas().Match(source).Groups[1].Value;
        Assert.NotEmpty(formulas);
        Assert.Equal($"{formulas} {device}", FunctionsSettings(await Bicep.ResourcesAsync(size))["Marketplace__Kernel"]);
        Assert.Equal($"{formulas} cpu", new MarketplaceOptions().Kernel);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task What_is_kept_on_disk_fits_there(string size)
    {
        var resources = await Bicep.ResourcesAsync(size);
        var (functions, kernels) = (FunctionsSettings(resources), KernelsSettings(resources));
        Assert.True(Bytes(functions, "Storage__LocalCacheBytes") + Bytes(functions, "Marketplace__MaxFileBytes") < 800_000_000, "An instance on Flex Consumption has 0.8 GB.");
        Assert.True(Bytes(kernels, "Storage__LocalCacheBytes") + Bytes(kernels, "Storage__LocalModelBytes") <= 6L << 30, "A replica has 8 GiB, and a job needs some of it.");
        var app = resources.Single(r => r.Type == "Microsoft.App/containerApps");
        var scratch = app["template", "containers"]!.AsArray()[0]!["volumeMounts"]!.AsArray().Single()!["mountPath"]!.GetValue<string>();
        Assert.Equal(scratch, kernels["TMPDIR"]);

        static long Bytes(IReadOnlyDictionary<string, string> settings, string name) => long.Parse(settings[name], CultureInfo.InvariantCulture);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task The_largest_commit_fits_into_the_largest_request(string size)
    {
        var functions = FunctionsSettings(await Bicep.ResourcesAsync(size));
        var limit = long.Parse(functions["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"], CultureInfo.InvariantCulture);
        var options = new MarketplaceOptions { HubInlineBytes = long.Parse(functions["Marketplace__HubInlineBytes"], CultureInfo.InvariantCulture) };
        Assert.InRange(options.HubCommitBytes, options.HubInlineBytes, limit);
        Assert.True(limit <= 210_000_000, "The platform takes no larger requests.");
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("prod")]
    public async Task No_setting_is_a_connection_string_or_a_key(string size)
    {
        var all = FunctionsSettings(await Bicep.ResourcesAsync(size)).Concat(KernelsSettings(await Bicep.ResourcesAsync(size))).ToList();
        // Application Insights takes no local authentication, so its string is an address.
        Assert.DoesNotContain(all, s => Secret().IsMatch(s.Key) && s.Key != "APPLICATIONINSIGHTS_CONNECTION_STRING");
        Assert.Equal("managedidentity", all.Single(s => s.Key == "AzureWebJobsStorage__credential").Value);
        Assert.Equal(2, all.Count(s => s.Key == "Storage__ManagedIdentityClientId"));
        Assert.All(all.Where(s => s.Key == "Storage__CreateMissing"), s => Assert.Equal("false", s.Value));
    }

    private static void AssertRead(IReadOnlyDictionary<string, string> settings)
    {
        var ours = settings.Where(s => s.Key.StartsWith("Storage__", StringComparison.Ordinal) || s.Key.StartsWith("Marketplace__", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(ours);
        var types = OptionTypes().ToList();
        var kernels = File.ReadAllText(Path.Combine(Fixtures.Repository, "kernels", "KernelHost.cs"));
        foreach (var (name, value) in ours)
        {
            var key = name.Replace("__", ":", StringComparison.Ordinal);
            Assert.True(
                types.Any(t => Reads(t.Type, t.Section, key)) || kernels.Contains($"Configuration[\"{key}\"]", StringComparison.Ordinal), $"Nothing reads {name}.");
        }

        // Values have the types of what they are read into: binding throws otherwise. Expressions are known on Azure only.
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(
            ours.Where(s => !s.Value.StartsWith('[')).Select(s => KeyValuePair.Create(s.Key.Replace("__", ":", StringComparison.Ordinal), (string?)s.Value))).Build();
        foreach (var (type, section) in types)
            configuration.GetSection(section).Get(type);
    }

    // Classes of settings name their section in a constant; MarketplaceOptions is the root of its own.
    private static IEnumerable<(Type Type, string Section)> OptionTypes() =>
        new[] { typeof(MarketplaceOptions).Assembly, typeof(StorageOptions).Assembly }.SelectMany(a => a.GetTypes())
            .Where(t => t.GetField("Section", BindingFlags.Public | BindingFlags.Static | BindingFlags.NonPublic)?.IsLiteral == true)
            .Select(t => (t, (string)t.GetField("Section", BindingFlags.Public | BindingFlags.Static | BindingFlags.NonPublic)!.GetRawConstantValue()!))
            .Append((typeof(MarketplaceOptions), "Marketplace"));

    private static bool Reads(Type type, string section, string key)
    {
        if (!key.StartsWith(section + ":", StringComparison.Ordinal))
            return false;
        foreach (var part in key[(section.Length + 1)..].Split(':'))
        {
            if (type.GetProperty(part) is not { CanWrite: true } property)
                return false;
            type = property.PropertyType;
        }

        return true;
    }

    private static Dictionary<string, string> FunctionsSettings(IEnumerable<Resource> resources) =>
        resources.Single(r => r.Type == "Microsoft.Web/sites/config" && r.Name == "appsettings").Json["properties"]!.AsObject()
            .ToDictionary(s => s.Key, s => s.Value!.GetValue<string>());

    private static Dictionary<string, string> KernelsSettings(IEnumerable<Resource> resources) =>
        resources.Single(r => r.Type == "Microsoft.App/containerApps")["template", "containers"]!.AsArray().Single()!["env"]!.AsArray()
            .ToDictionary(s => s!["name"]!.GetValue<string>(), s => s!["value"]!.GetValue<string>());

    [GeneratedRegex(@"Formulas = (\d+);")]
    private static partial Regex Formulas();

    [GeneratedRegex("(?i)connection_?string|key$|secret|password|^AzureWebJobsStorage$|sas")]
    private static partial Regex Secret();
}
