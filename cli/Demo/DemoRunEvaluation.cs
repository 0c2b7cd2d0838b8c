using Marketplace.Cli.Client;
using Marketplace.Cli.Commands;
using Marketplace.Cli.Output;
using Marketplace.Cli.Publishing;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;

namespace Marketplace.Cli.Demo;

/// <content>What the adapters are worth.</content>
internal sealed partial class DemoRun
{
    private const double OwnTask = 0.99; // every task adapter does its own task
    private const double OneItem = 0.0101; // of a hundred: two choices may be equal but for rounding

    private async Task RegisterBase(CancellationToken ct)
    {
        Step("Registering the base model's files, so that adapters can be run on it");
        var folder = PublishFolder.OpenBaseModel(samples.Base);
        folder = await ProgressBars.Run(terminal, bytes: true, bars => folder.Hash(bars.Add("hashing", folder.TotalBytes), ct));
        var (status, _) = await new AdapterPublisher(admin, terminal).Register(AdapterId.Parse(SampleLibrary.BaseModel), folder, null, ct);
        DemoCheck.That(status is { State: "published", Version.Number: 1 }, $"The base model was not registered: {status.State}.");
        var weights = await client.GetBaseModelWeights(AdapterId.Parse(SampleLibrary.BaseModel), null, ct);
        DemoCheck.That(
            folder.Files.All(f => weights.Files.Any(w => w.Path == f.Path && w.Sha256 == f.Digest.Hex)), "The base model does not have the digests that were sent.");
        terminal.Say($"{SampleLibrary.BaseModel}: {weights.Architecture}, {Units.Bytes(weights.Size)}, digest {weights.Digest[..12]}");
    }

    private async Task Evaluate(IReadOnlyList<DerivedResult> merges, CancellationToken ct)
    {
        Step("Scoring everything on the tasks' evaluation sets: log-likelihood of four choices, 100 items each");
        var sets = new List<string>();
        foreach (var path in samples.Sets)
        {
            DemoCheck.That(EvaluationSetReader.TryRead(await File.ReadAllBytesAsync(path, ct), out var set, out var problems), string.Join(' ', problems.Select(p => p.Message)));
            var sent = await client.PublishSet(AdapterId.Parse($"{Owner}/{Path.GetFileNameWithoutExtension(path)}"), false, null, set!, ct);
            sets.Add($"{Owner}/{Path.GetFileNameWithoutExtension(path)}@{sent.Version.Number}");
        }

        string[] experts = [.. samples.Tasks.Select(t => $"{Owner}/{t}")];
        List<WeightedSubjectAdapter> general = [.. SampleLibrary.General.Select(g => new WeightedSubjectAdapter($"{Owner}/{g}"))];
        (string Label, EvaluationSubject Subject)[] subjects =
        [
            ("base", new BaseSubject()),
            .. experts.Select(e => ($"adapter {e}", (EvaluationSubject)new AdapterSubject(e))),
            .. merges.Select(m => ($"merge {m.Version.Adapter}", (EvaluationSubject)new AdapterSubject(m.Version.Adapter))),
            ("the mean, unmerged", new WeightedSubject([.. experts.Select(e => new WeightedSubjectAdapter(e, 1d / experts.Length))])),
            ("Arrow, top 3", new ArrowSubject([.. experts.Select(e => new SubjectAdapter(e))], TopK: 3)),
            ("Arrow, top 3 + GenKnowSub", new ArrowSubject([.. experts.Select(e => new SubjectAdapter(e))], general, TopK: 3)),
        ];
        var job = await client.RequestEvaluation(new EvaluationRequest(sets, [.. subjects.Select(s => s.Subject)]), ct);
        var scores = EvaluationTable.Of(Succeeded(await JobOutput.Wait(terminal, client, job, ct)))!;
        DemoCheck.That(scores.Refused.Count == 0 && scores.Rows.Count == subjects.Length * sets.Count, "Not everything was scored.");

        var table = Tables.Create(["accuracy", .. samples.Sets.Select(s => Path.GetFileNameWithoutExtension(s)!), "mean"]);
        var values = new Dictionary<string, double[]>();
        foreach (var (subject, i) in subjects.Select((s, i) => (s, i)))
        {
            double[] row = [.. scores.Rows.Skip(i * sets.Count).Take(sets.Count).Select(r => r.Value)];
            values[subject.Label] = row;
            table.Row([subject.Label, .. row.Select(v => $"{v:0.00}"), $"{row.Average():0.000}"]);
            result.Scored += row.Length;
        }

        display.Write(table);
        for (var i = 0; i < sets.Count; i++)
            DemoCheck.That(values[$"adapter {sets[i].Split('@')[0]}"][i] >= OwnTask, $"{sets[i]} is not what its own adapter can do.");
        // Two ways to the same function: factors averaged and published, and six adapters side by side in the forward pass.
        DemoCheck.That(
            values[$"merge {merges[0].Version.Adapter}"].Zip(values["the mean, unmerged"]).All(p => Math.Abs(p.First - p.Second) < OneItem),
            "The published mean and the adapters averaged in the forward pass score differently.");
    }
}
