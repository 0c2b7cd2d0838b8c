using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;
using Marketplace.Core.Methods;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Merges;

/// <summary>Real adapters at half their rank.</summary>
public sealed class WildTruncationTests
{
    private static readonly string[] Expected = [MergeProblem.DoraNotMergeable, MergeProblem.LoraBiasNotMergeable, MergeProblem.CarriedNotMergeable];

    [Fact]
    public void Real_adapters_are_halved_or_refused_for_what_they_carry()
    {
        var halved = 0;
        foreach (var wild in WildAdapters.Catalogue().Where(w => w.IsAccepted))
        {
            using var adapter = AdapterReader.Open(wild.Folder);
            var rank = Math.Max(1, adapter.Modules.Max(m => m.Rank) / 2);
            if (!RankTruncation.TryCreate(adapter, rank, TensorType.F32, out var truncation, out var problems))
            {
                Assert.True(!adapter.Carried.IsEmpty, $"{wild.Folder}: {string.Join('\n', problems)}");
                Assert.All(problems, p => Assert.Contains(p.Code, Expected));
                continue;
            }

            halved++;
            Assert.Empty(adapter.Carried);
            using var folder = new TemporaryFolder();
            truncation.Export.Save(folder.Path);
            using var truncated = AdapterReader.Open(folder.Path);
            Assert.Empty(truncation.Export.Check(truncated));
            var (discarded, total) = (0d, 0d);
            foreach (var module in adapter.Modules)
            {
                var delta = adapter.Delta(module.Name)!;
                discarded += Math.Pow(Deltas.Distance(delta, truncated.Delta(module.Name)!), 2);
                total += Math.Pow(Deltas.Norm(delta), 2);
            }

            Assert.Equal(total == 0 ? 0 : Math.Sqrt(discarded / total), truncation.Report.RelativeDiscarded, 1e-6);
            Assert.InRange(truncation.Report.RelativeDiscarded, 0, 0.999);
        }

        Assert.True(halved > 10, $"Only {halved} adapters could be truncated.");
    }
}
