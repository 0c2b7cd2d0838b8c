using System.Reflection;
using BenchmarkDotNet.Running;
using Marketplace.Benchmarks;

if (args is ["merge", .. var rest])
    MergeBenchmark.Run(rest);
else if (args is ["analysis"])
    AnalysisBenchmark.Run();
else if (args is ["sketches", .. var what])
    await SketchBenchmark.RunAsync(withErrors: what is not ["library"]);
else
    BenchmarkSwitcher.FromAssembly(Assembly.GetExecutingAssembly()).Run(args);
