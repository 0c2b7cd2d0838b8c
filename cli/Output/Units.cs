using System.Globalization;

namespace Marketplace.Cli.Output;

/// <summary>Numbers as people read them.</summary>
internal static class Units
{
    /// <summary>A size in bytes, KiB, MiB or GiB.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1 << 10 => Invariant($"{bytes} B"),
        < 1 << 20 => Invariant($"{bytes / 1024.0:0.0} KiB"),
        < 1 << 30 => Invariant($"{bytes / (double)(1 << 20):0.0} MiB"),
        _ => Invariant($"{bytes / (double)(1 << 30):0.00} GiB"),
    };

    /// <summary>A number with three decimals.</summary>
    public static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>A number of floating-point operations.</summary>
    public static string Flops(double flops) => flops switch
    {
        < 1e9 => Invariant($"{flops / 1e6:0.0} MFLOP"),
        < 1e12 => Invariant($"{flops / 1e9:0.0} GFLOP"),
        _ => Invariant($"{flops / 1e12:0.0} TFLOP"),
    };

    /// <summary>A small number in scientific notation.</summary>
    public static string Scientific(double value) => value.ToString("0.0e+0", CultureInfo.InvariantCulture);

    /// <summary>A moment in UTC.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
