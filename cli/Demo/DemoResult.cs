using System.Text.Json.Serialization;

namespace Marketplace.Cli.Demo;

/// <summary>What the demo did; with <c>--json</c> its only line of standard output. A number counts only what was checked.</summary>
internal sealed class DemoResult
{
    [JsonPropertyOrder(0)]
    public int Published { get; set; }

    [JsonPropertyOrder(1)]
    public int Rejected { get; set; }

    [JsonPropertyOrder(2)]
    public int Clusters { get; set; }

    [JsonPropertyOrder(3)]
    public int Subtracted { get; set; }

    [JsonPropertyOrder(4)]
    public int Built { get; set; }

    [JsonPropertyOrder(5)]
    public int Routers { get; set; }

    [JsonPropertyOrder(6)]
    public int Recognised { get; set; }

    [JsonPropertyOrder(7)]
    public int Merged { get; set; }

    [JsonPropertyOrder(8)]
    public bool DownloadVerified { get; set; }

    [JsonPropertyOrder(9)]
    public int Scored { get; set; }

    [JsonPropertyOrder(10)]
    public double Seconds { get; set; }
}
