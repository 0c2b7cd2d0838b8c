using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Methods;
using Marketplace.Kernels;
using Marketplace.Kernels.Models;
using Marketplace.Kernels.Training;

namespace Marketplace.Train;

/// <summary>What one library came to.</summary>
/// <param name="Library">Rows over its own tasks.</param>
/// <param name="HeldOut">Rows over the others.</param>
/// <param name="Groups">How well clusters agree with families, by what was clustered.</param>
/// <param name="Labels">The clusters of the library, as many as there are families.</param>
internal sealed record SeedResult(RowResult[] Library, RowResult[] HeldOut, Dictionary<string, double> Groups, int[] Labels);

/// <summary>Trains the base, then a library from each seed, scores all, and writes what is shipped. What is there already is taken as it is, so that a run that was stopped goes on.</summary>
internal sealed class Experiment(Settings settings, string output, string work, Action<string> say)
{
    private readonly World world = new(settings.World);

    public void Run()
    {
        KernelDevice.UseOneThread();
        using var model = Base();
        var sets = Sets();
        var results = new List<SeedResult>();
        for (var seed = 1; seed <= settings.Seeds; seed++)
            results.Add(Seed(model, sets, seed));
        File.WriteAllBytes(Path.Combine(output, "results.json"), JsonSerializer.SerializeToUtf8Bytes(Report.Numbers(world, results), Json.Indented));
        var report = Report.Whole(world, results);
        File.WriteAllText(Path.Combine(output, "RESULTS.md"), report);
        Console.WriteLine(report);
    }

    private LanguageModel Base()
    {
        var folder = Path.Combine(output, "base");
        if (!File.Exists(Path.Combine(folder, "model.safetensors")))
        {
            say("base");
            using var trained = Training.Base(world, settings, say);
            ModelSaver.Save(trained, Training.Config(settings), folder, TensorType.BF16);
        }

        File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"), Symbols.Tokenizer());
        return LanguageModel.TryOpen(folder, KernelDevice.Cpu, out var model, out var problems) ? model : throw new InvalidDataException(string.Join('\n', problems));
    }

    private Dictionary<string, Item[]> Sets()
    {
        var folder = Directory.CreateDirectory(Path.Combine(output, "sets")).FullName;
        return world.Library.Concat(world.HeldOut).ToDictionary(t => t.Name, task =>
        {
            var random = new Philox(settings.World, $"items {task.Name}");
            Item[] items = [.. Enumerable.Range(0, world.Library.Contains(task) ? settings.LibraryItems : settings.Items).Select(_ => task.Draw(random, kept: true))];
            File.WriteAllLines(Path.Combine(folder, $"{task.Name}.jsonl"), items.Select((item, i) =>
                JsonSerializer.Serialize(new { Id = $"{task.Name}-{i:d3}", Task = task.Name, item.Prompt, item.Choices, item.Answer }, Json.Line)));
            return items;
        });
    }

    private SeedResult Seed(LanguageModel model, Dictionary<string, Item[]> sets, int seed)
    {
        var folder = seed == 1 ? output : Path.Combine(work, $"seed-{seed}");
        var kept = Path.Combine(work, $"result-{seed}.json");
        Train(model, folder, (ulong)seed);
        if (File.Exists(kept))
            return JsonSerializer.Deserialize<SeedResult>(File.ReadAllBytes(kept))!;
        Adapter[] experts = [.. world.Library.Select(t => AdapterReader.Open(Path.Combine(folder, "library", t.Name)))];
        Adapter[] general = [.. world.Languages.Select((_, i) => AdapterReader.Open(Path.Combine(folder, "general", $"general-{i + 1}")))];
        var evaluation = new Evaluation(model, world, sets, experts, general);
        var (chosen, families, residuals) = evaluation.Cluster();
        int[] truth = [.. world.Library.Select(t => Array.IndexOf(Family.All, t.Families[0]))];
        var result = new SeedResult(
            [.. Told(evaluation.Library(), seed)], [.. Told(evaluation.HeldOut(families), seed)],
            new() { ["chosen k"] = chosen.Clusters.Length, ["chosen"] = Groups.Agreement(chosen.Labels, truth), ["families"] = Groups.Agreement(families.Labels, truth), ["residuals"] = Groups.Agreement(residuals.Labels, truth) },
            [.. families.Labels]);
        say($"seed {seed}: clusters {string.Join(' ', families.Labels)}; {string.Join(", ", result.Groups)}");
        foreach (var adapter in experts.Concat(general))
            adapter.Dispose();
        Merged.Clear();
        Directory.CreateDirectory(work);
        File.WriteAllBytes(kept, JsonSerializer.SerializeToUtf8Bytes(result));
        return result;
    }

    private IEnumerable<RowResult> Told(IEnumerable<RowResult> rows, int seed)
    {
        foreach (var row in rows)
        {
            say($"seed {seed}: {row.Row,-42} {row.Right.Average(t => t.Average(r => r ? 1.0 : 0)):f3} | {string.Join(' ', row.Right.Select(t => t.Average(r => r ? 1.0 : 0).ToString("f2")))}");
            yield return row;
        }
    }

    // Two adapters side by side, each on one thread: what comes out does not depend on how many processors there are.
    private void Train(LanguageModel model, string folder, ulong seed)
    {
        (string Path, Func<Philox, TrainingText> Draw)[] lessons =
        [
            .. world.Library.Select(t => (Path.Combine("library", t.Name), (Func<Philox, TrainingText>)(random => World.Lesson(t, random, settings.TextWeight)))),
            .. world.Languages.Select((l, i) => (Path.Combine("general", $"general-{i + 1}"), (Func<Philox, TrainingText>)(random => World.GeneralText(l, random)))),
        ];
        var left = lessons.Select((lesson, i) => (lesson.Path, lesson.Draw, Seed: (1000 * seed) + (ulong)i))
            .Where(l => !File.Exists(Path.Combine(folder, l.Path, "adapter_model.safetensors"))).ToArray();
        Parallel.For(0, left.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            KernelDevice.UseOneThread();
            using var adapter = Training.Adapter(model, settings, left[i].Draw, left[i].Seed);
            adapter.Save(Path.Combine(folder, left[i].Path), Merged.BaseModel, TensorType.BF16);
        });
        if (left.Length > 0)
            say($"seed {seed}: {left.Length} adapters trained");
    }
}
