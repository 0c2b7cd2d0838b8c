using Marketplace.Kernels.Models;
using TorchSharp;

namespace Marketplace.Kernels.Composition;

/// <summary>Passes of a model side by side on the processors, each computed by one thread, so that no number depends on how many there are; one after the other on a GPU.</summary>
internal static class SideBySide
{
    /// <summary>Runs all parts and gives their results in the parts' order.</summary>
    public static TResult[] Run<TPart, TResult>(LanguageModel model, IReadOnlyList<TPart> parts, Func<TPart, TResult> run)
    {
        var results = new TResult[parts.Count];
        // A single part stays on the caller's thread, where the parallel loop may take another.
        if (model.Device.type != DeviceType.CPU || parts.Count == 1)
        {
            if (model.Device.type == DeviceType.CPU)
                KernelDevice.UseOneThread();
            for (var i = 0; i < parts.Count; i++)
                results[i] = run(parts[i]);
            return results;
        }

        Parallel.For(0, parts.Count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            KernelDevice.UseOneThread();
            results[i] = run(parts[i]);
        });
        return results;
    }
}
