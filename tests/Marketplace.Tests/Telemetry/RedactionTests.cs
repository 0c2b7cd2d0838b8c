using System.Diagnostics;
using System.Text.Json;
using Marketplace.Storage.Hosting;
using Marketplace.Storage.Telemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Trace;
using Xunit;

namespace Marketplace.Tests.Telemetry;

public sealed class RedactionTests
{
    private const string Token = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGHIJK";
    private const string Signature = "aGVsbG8gd29ybGQ%2Fx%3D";

    [Theory]
    [InlineData("GET https://a.blob.core.windows.net/content/x?sv=2026&sig=" + Signature + "&se=1 failed", Signature)]
    [InlineData("next=https%3A%2F%2Fa%2Fx%3Fsig%3D" + Signature, Signature)]
    [InlineData("the header Authorization: Bearer " + Token, Token)]
    [InlineData("the header Authorization: Bearer abcdef0123456789", "abcdef0123456789")]
    [InlineData("Authorization: SharedKey account:c2lnbmF0dXJlIG9mIGFjY291bnQ=", "c2lnbmF0dXJl")]
    [InlineData("key " + Token + " is unknown", Token)]
    [InlineData("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0LWtleQ==;EndpointSuffix=x", "c2VjcmV0LWtleQ")]
    [InlineData("InstrumentationKey=5eed5eed-0000-4000-8000-000000000001;IngestionEndpoint=https://x/", "5eed5eed")]
    [InlineData("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl", "eyJzdWIi")]
    [InlineData("PATCH /tkeys(PartitionKey='k-00ff',RowKey='token-00ff') 412", "00ff")]
    [InlineData("PATCH /tkeys%28PartitionKey=%27k-00ff%27,RowKey=%27k%27%29 412", "00ff")]
    public void Secrets_are_taken_out_of_texts(string text, string secret)
    {
        var clean = Redaction.Clean(text);
        Assert.DoesNotContain(secret, clean, StringComparison.Ordinal);
        Assert.Contains(Redaction.Mark, clean, StringComparison.Ordinal);
        Assert.Equal(clean, Redaction.Clean(clean));
        Assert.Equal(text.Split(' ')[0][..3], clean[..3]);
    }

    [Theory]
    [InlineData("Job 00ff (Merge) attempt 1 starts")]
    [InlineData("The design of a key is a signal, bearer of news; sigma = 3; significant=1")]
    [InlineData("[rank-mismatch] layers.0.q_proj.lora_A.weight")]
    public void Other_texts_stay_the_same_object(string text) => Assert.Same(text, Redaction.Clean(text));

    [Theory]
    [InlineData("https://a.blob.core.windows.net/content/sha256/00ff?sv=1&sig=x", "https://a.blob.core.windows.net/content/sha256/00ff")]
    [InlineData("http://127.0.0.1:10002/devstoreaccount1/tkeys(PartitionKey='00ff',RowKey='t')", "http://127.0.0.1:10002/devstoreaccount1/tkeys")]
    [InlineData("http://127.0.0.1:10002/devstoreaccount1/tkeys%28PartitionKey='00ff'%29", "http://127.0.0.1:10002/devstoreaccount1/tkeys")]
    [InlineData("https://a.table.core.windows.net/keys()?$filter=PartitionKey%20eq%20'00ff'", "https://a.table.core.windows.net/keys")]
    [InlineData("/api/v1/adapters/ann/first", "/api/v1/adapters/ann/first")]
    public void Addresses_keep_neither_query_nor_keys_of_rows(string address, string clean) => Assert.Equal(clean, Redaction.Address(address));

    [Fact]
    public void Spans_reach_exporters_without_secrets()
    {
        using var source = new ActivitySource($"test-{Guid.NewGuid():N}");
        var kept = new List<Activity>();
        using (var provider = Sdk.CreateTracerProviderBuilder().AddSource(source.Name).AddProcessor(new RedactingSpans()).AddProcessor(new Keep<Activity>(kept.Add)).Build())
        {
            using var span = source.StartActivity("GET")!;
            span.SetTag("url.full", $"https://a/keys(PartitionKey='00ff')?sig={Signature}").SetTag("url.query", "?token=1").SetTag("note", $"Bearer {Token}").SetTag("http.response.status_code", 412);
            span.SetStatus(ActivityStatusCode.Error, $"RequestFailedException: sig={Signature}\nHeaders:\nLocation: x");
        }

        var seen = Assert.Single(kept);
        Assert.Equal(
            [new("url.full", "https://a/keys"), new("note", $"Bearer {Redaction.Mark}"), new("http.response.status_code", 412)],
            seen.TagObjects.ToArray());
        Assert.Equal((ActivityStatusCode.Error, $"RequestFailedException: sig={Redaction.Mark}"), (seen.Status, seen.StatusDescription));
    }

    [Fact]
    public void Logs_reach_exporters_without_secrets_and_harmless_exceptions_whole()
    {
        // A record is used again as soon as it is exported.
        var kept = new List<(string? Message, Exception? Exception, Dictionary<string, object?> Attributes)>();
        using (var factory = LoggerFactory.Create(b => b.AddOpenTelemetry(o =>
        {
            o.IncludeFormattedMessage = true;
            o.AddProcessor(new RedactingLogs()).AddProcessor(new Keep<LogRecord>(r => kept.Add((r.FormattedMessage, r.Exception, r.Attributes!.ToDictionary(a => a.Key, a => a.Value)))));
        })))
        {
            var logger = factory.CreateLogger("test");
            logger.LogError(new InvalidOperationException($"GET https://a/x?sig={Signature}"), "{Address} failed", new Uri($"https://a/x?sig={Signature}"));
            logger.LogError(new InvalidOperationException("harmless"), "Job {JobId} failed", "00ff");
        }

        Assert.Equal(2, kept.Count);
        Assert.Equal($"https://a/x?sig={Redaction.Mark} failed", kept[0].Message);
        Assert.Null(kept[0].Exception);
        var attributes = kept[0].Attributes;
        Assert.Equal(("https://a/x", typeof(InvalidOperationException).FullName, $"GET https://a/x?sig={Redaction.Mark}"), ((string)attributes["Address"]!, (string)attributes["exception.type"]!, (string)attributes["exception.message"]!));
        Assert.DoesNotContain(Signature, (string)attributes["exception.stacktrace"]!, StringComparison.Ordinal);
        Assert.Equal("harmless", kept[1].Exception!.Message);
        Assert.Equal("00ff", kept[1].Attributes["JobId"]);
    }

    [Fact]
    public void Json_lines_have_the_properties_of_the_template_and_the_trace_and_text_lines_are_one_line()
    {
        using var activity = new Activity("request").SetIdFormat(ActivityIdFormat.W3C).Start();
        var json = JsonDocument.Parse(Line(json: true)).RootElement;
        Assert.Equal("Delivery 3 of 00ff failed", json.GetProperty("message").GetString());
        Assert.Equal(("Warning", "test"), (json.GetProperty("level").GetString(), json.GetProperty("category").GetString()));
        Assert.Equal((3, "00ff"), (json.GetProperty("properties").GetProperty("Count").GetInt32(), json.GetProperty("properties").GetProperty("MessageId").GetString()));
        Assert.Equal("Delivery {Count} of {MessageId} failed", json.GetProperty("properties").GetProperty("template").GetString());
        Assert.Equal(activity.TraceId.ToString(), json.GetProperty("traceId").GetString());
        Assert.Contains($"sig={Redaction.Mark}", json.GetProperty("exception").GetString(), StringComparison.Ordinal);

        var text = Line(json: false);
        Assert.StartsWith("warn: test[7] Delivery 3 of 00ff failed System.InvalidOperationException: first second", text, StringComparison.Ordinal);
        Assert.DoesNotContain(Signature, text, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', text);
    }

    [Theory]
    [InlineData(null, "ParentBased{AlwaysOnSampler}")]
    [InlineData("always_off", "AlwaysOffSampler")]
    [InlineData("traceidratio", "TraceIdRatioBasedSampler{0.250000}")]
    [InlineData("parentbased_traceidratio", "ParentBased{TraceIdRatioBasedSampler{0.250000}}")]
    [InlineData("microsoft.rate_limited", null)]
    public void Samplers_are_those_of_the_specification(string? name, string? sampler) => Assert.Equal(sampler, TraceSampling.Of(Settings(("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", "0.25")))?.Description);

    [Theory]
    [InlineData("sometimes", "0.5")]
    [InlineData("traceidratio", "1.5")]
    public void A_sampler_that_is_none_ends_the_start(string name, string share) =>
        Assert.Contains("OTEL_TRACES_SAMPLER", Assert.Throws<InvalidOperationException>(() => TraceSampling.Of(Settings(("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)))).Message, StringComparison.Ordinal);

    [Fact]
    public void Without_a_place_to_export_to_nothing_is_registered()
    {
        var services = new ServiceCollection();
        services.AddMarketplaceTelemetry(Settings(), TelemetryServices.Functions);
        Assert.Empty(services);
    }

    [Fact]
    public void Telemetry_is_written_with_the_identity_that_the_settings_name()
    {
        Assert.Null(TelemetryServices.Credential(Settings()));
        foreach (var settings in new[] { ("Storage:ManagedIdentityClientId", "00ff"), ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "ClientId=00ff;Authorization=AAD"), ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "Authorization=AAD") })
            Assert.IsType<Azure.Identity.ManagedIdentityCredential>(TelemetryServices.Credential(Settings(settings)));
    }

    private static IConfiguration Settings(params (string Name, string? Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Name, v.Value))).Build();

    private static string Line(bool json)
    {
        KeyValuePair<string, object?>[] state = [new("Count", 3), new("MessageId", "00ff"), new("{OriginalFormat}", "Delivery {Count} of {MessageId} failed")];
        var entry = new LogEntry<KeyValuePair<string, object?>[]>(
            LogLevel.Warning, "test", 7, state, new InvalidOperationException($"first\nsecond sig={Signature}"), (_, _) => "Delivery 3 of 00ff failed");
        using var writer = new StringWriter { NewLine = "" };
        new ConsoleLines(new Fixed(new() { Json = json })).Write(entry, null, writer);
        return writer.ToString();
    }

    private sealed class Fixed(ConsoleLineOptions options) : Microsoft.Extensions.Options.IOptionsMonitor<ConsoleLineOptions>
    {
        public ConsoleLineOptions CurrentValue => options;

        public ConsoleLineOptions Get(string? name) => options;

        public IDisposable? OnChange(Action<ConsoleLineOptions, string?> listener) => null;
    }

    private sealed class Keep<T>(Action<T> keep) : BaseProcessor<T>
    {
        public override void OnEnd(T data) => keep(data);
    }
}
