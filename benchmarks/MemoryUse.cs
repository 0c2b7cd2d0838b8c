using System.Globalization;

namespace Marketplace.Benchmarks;

/// <summary>Memory of this process, as Linux counts it.</summary>
/// <param name="PeakBytes">The most that was resident so far.</param>
/// <param name="AnonymousBytes">What is resident of its own memory now.</param>
/// <param name="MappedBytes">What is resident of mapped files now: weights, libraries.</param>
/// <param name="WeightBytes">Of it, weights.</param>
internal sealed record MemoryUse(long PeakBytes, long AnonymousBytes, long MappedBytes, long WeightBytes)
{
    /// <summary>Reads the counters.</summary>
    public static MemoryUse Read()
    {
        var status = File.ReadAllLines("/proc/self/status");
        return new(Field(status, "VmHWM:"), Field(status, "RssAnon:"), Field(status, "RssFile:"), Weights());
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{PeakBytes >> 20} MiB (now {AnonymousBytes >> 20} own, {MappedBytes >> 20} mapped, of which {WeightBytes >> 20} weights)";

    private static long Weights()
    {
        var (sum, counts) = (0L, false);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains('-') && line.Contains(' ') && char.IsAsciiHexDigitLower(line[0]))
                counts = line.EndsWith(".safetensors", StringComparison.Ordinal);
            else if (counts && line.StartsWith("Rss:", StringComparison.Ordinal))
                sum += Kibibytes(line);
        }

        return sum;
    }

    private static long Field(string[] lines, string name) => Kibibytes(lines.First(l => l.StartsWith(name, StringComparison.Ordinal)));

    private static long Kibibytes(string line) =>
        1024 * long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
