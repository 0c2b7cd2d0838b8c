using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Formats;
using Marketplace.Tests.Support;

namespace Marketplace.Tests.Evaluation;

/// <summary>The trained character model's sets and the log-likelihoods that were measured on them.</summary>
internal static class TrainedFixture
{
    public static readonly string[] Tasks = ["copy", "reverse", "upper", "addmod", "sort", "last"];

    private static readonly Lazy<SafetensorsFile> LogLikelihoods = new(() => SafetensorsFile.Open(Path.Combine(Root, "expected_loglik.safetensors")));

    public static string Root => Path.Combine(Fixtures.Root, "trained");

    /// <summary>Every row of the table of accuracies, by task.</summary>
    public static Dictionary<string, Dictionary<string, double>> Accuracies
    {
        get
        {
            using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Root, "expected.json")));
            return json.RootElement.GetProperty("accuracy").Deserialize<Dictionary<string, Dictionary<string, double>>>()!;
        }
    }

    /// <summary>The file of a task's items.</summary>
    public static string FileOf(string task) => Path.Combine(Fixtures.Repository, "samples", "sets", $"{task}.jsonl");

    public static EvaluationSet Set(string task) =>
        EvaluationSetReader.TryRead(File.ReadAllBytes(FileOf(task)), out var set, out var problems) && problems.IsEmpty
            ? set : throw new InvalidDataException(string.Join('\n', problems));

    /// <summary>The predictions of a row on a task: one token for each character.</summary>
    public static Predictions Measured(EvaluationSet set, string row, string task)
    {
        var file = LogLikelihoods.Value;
        var values = file.ReadDouble(file.Find($"loglik.{row}")!);
        var start = Array.IndexOf(Tasks, task) * 400;
        return new(EvaluationKind.MultipleChoice, 0, [.. set.Items.Cast<MultipleChoiceItem>().Select((item, i) => new ChoicePrediction(
            [.. values.AsSpan(start + (4 * i), 4)], [.. item.Choices.Select(c => c.Length)], [.. item.Choices.Select(c => Encoding.UTF8.GetByteCount(c))]))]);
    }

    public static Predictions Measured(string row, string task) => Measured(Set(task), row, task);

    /// <summary>Predictions of multiple choice from log-likelihoods, each choice one token and one byte.</summary>
    public static Predictions Choices(params double[][] rows) =>
        new(EvaluationKind.MultipleChoice, 0, [.. rows.Select(r => new ChoicePrediction([.. r], [.. r.Select(_ => 1)], [.. r.Select(_ => 1)]))]);

    /// <summary>A set read from lines.</summary>
    public static EvaluationSet Read(params string[] lines) =>
        EvaluationSetReader.TryRead(Encoding.UTF8.GetBytes(string.Join('\n', lines)), out var set, out var problems)
            ? set : throw new InvalidDataException(string.Join('\n', problems));

    public static ImmutableArray<EvaluationSetProblem> Problems(params string[] lines)
    {
        EvaluationSetReader.TryRead(Encoding.UTF8.GetBytes(string.Join('\n', lines)), out _, out var problems);
        return problems;
    }
}
