using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Formats;
using Marketplace.Tests.Algebra;
using Marketplace.Tests.Support;

namespace Marketplace.Tests.Merges;

/// <summary>A call of PEFT's add_weighted_adapter whose result is recorded.</summary>
internal sealed record PeftCase(string Type, string[] Adapters, double[] Weights, double Density, string? Majority)
{
    public Adapter[] Inputs() => [.. Adapters.Select(n => PeftFiles.Load("merge", "adapters", n))];
}

/// <summary>The recorded calls.</summary>
internal static class PeftCases
{
    public static PeftCase Find(string name)
    {
        var found = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.Root, "merge", "cases.json"))).RootElement
            .GetProperty("cases").EnumerateArray().Single(c => c.GetProperty("case").GetString() == name);
        return new(
            found.GetProperty("combination_type").GetString()!,
            found.GetProperty("adapters").Deserialize<string[]>()!,
            found.GetProperty("weights").Deserialize<double[]>()!,
            found.TryGetProperty("density", out var density) ? density.GetDouble() : 1,
            found.TryGetProperty("majority_sign_method", out var majority) ? majority.GetString() : null);
    }

    /// <summary>A recorded mask, one byte for each entry.</summary>
    public static Matrix Mask(SafetensorsFile file, string name)
    {
        var tensor = file.Find(name) ?? throw new KeyNotFoundException(name);
        return new((int)tensor.Shape[0], (int)tensor.Shape[1], [.. file.Bytes(tensor).ToArray().Select(b => (double)b)]);
    }
}
