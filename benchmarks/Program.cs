using System.Reflection;
using BenchmarkDotNet.Running;
using Marketplace.Benchmarks;

if (args is ["merge", .. var rest])
    MergeBenchmark.Run(rest);
else if (args is ["analysis"])
    AnalysisBenchmark.Run();
else if (args is ["mbc", .. var clusterings])
    MbcBenchmark.Run(clusterings);
else if (args is ["evaluate", .. var evaluation])
    EvaluationBenchmark.Run(evaluation);
else if (args is ["tokenizers"])
    TokenizerBenchmark.Run();
else if (args is ["scores"])
    ScoreBenchmark.Run();
else if (args is ["route"])
    RouteBenchmark.Run();
else if (args is ["hub", .. var part])
    await HubBenchmark.RunAsync(downloadsOnly: part is ["downloads"]);
else if (args is ["lists"])
    await ListBenchmark.RunAsync();
else if (args is ["telemetry"])
    await TelemetryBenchmark.RunAsync();
else if (args is ["library", .. var library])
    await LibraryBenchmark.Run(library);
else if (args is ["soak", .. var soak])
    return await SoakBenchmark.Run(soak);
else if (args is ["sketches", .. var what])
    await SketchBenchmark.RunAsync(withErrors: what is not ["library"]);
else
    BenchmarkSwitcher.FromAssembly(Assembly.GetExecutingAssembly()).Run(args);
return 0;
