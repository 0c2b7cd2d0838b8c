using System.Diagnostics;
using System.Globalization;
using Marketplace.Train;

// Settings as Name=value; Output and Work name folders.
var given = args.Select(a => a.TrimStart('-').Split('=', 2)).ToDictionary(p => p[0], p => p[1], StringComparer.OrdinalIgnoreCase);
var settings = Settings.Of(given);
var output = given.GetValueOrDefault("Output", Path.Combine("samples", "merit"));
var work = given.GetValueOrDefault("Work", Path.Combine(Path.GetTempPath(), "marketplace-merit"));
var clock = Stopwatch.StartNew();
new Experiment(settings, output, work, message =>
{
    using var process = Process.GetCurrentProcess();
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{clock.Elapsed.TotalSeconds,6:f0} s, processor {process.TotalProcessorTime.TotalSeconds,6:f0} s] {message}"));
}).Run();
