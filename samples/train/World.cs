using Marketplace.Core.Algebra;
using Marketplace.Kernels.Training;

namespace Marketplace.Train;

/// <summary>Languages, tasks, and what the base model reads.</summary>
internal sealed class World
{
    private const int Dialects = 48;

    private readonly Language[] dialects;

    public World(ulong seed)
    {
        dialects = [.. Enumerable.Range(0, Dialects).Select(i => new Language(Symbols.Scripts[i % Symbols.Scripts.Length], seed + 1000 + (ulong)i))];
        Languages = [.. Symbols.Scripts.Select(s => new Language(s, seed))];
        Library = [.. Family.All.SelectMany((f, i) => Enumerable.Range(0, 3).Select(j =>
            new TextTask($"{f.Name}-{j + 1}", [f], (i + j) % Formats.Count, Symbols.Tags[..6], Languages[..2])))];
        HeldOut =
        [
            .. Family.All.Select((f, i) => new TextTask($"{f.Name}-new", [f], (i + 3) % Formats.Count, Symbols.Tags[6..], Languages[..2])),
            .. new[] { (0, 1), (2, 3), (4, 5) }.Select(p =>
                new TextTask($"{Family.All[p.Item1].Name}+{Family.All[p.Item2].Name}", [Family.All[p.Item1], Family.All[p.Item2]], 0, Symbols.Tags, Languages[..2])),
        ];
    }

    /// <summary>The languages of the tasks, one for each script; the base has read others in the same scripts.</summary>
    public Language[] Languages { get; }

    /// <summary>Tasks for which there are adapters.</summary>
    public TextTask[] Library { get; }

    /// <summary>Tasks for which there are none.</summary>
    public TextTask[] HeldOut { get; }

    /// <summary>A batch for the base model: text in many languages, and items in which any operation may be meant; in half of them its name says which.</summary>
    public TrainingText[] BaseBatch(Philox random, int rows)
    {
        var kind = random.NextDouble();
        return [.. Enumerable.Range(0, rows).Select(_ => kind < 0.15 ? GeneralText(random.Pick(dialects), random) : kind < 0.8 ? Single(random) : Pair(random))];
    }

    /// <summary>A text in a language, as general adapters learn it.</summary>
    public static TrainingText GeneralText(Language language, Philox random) => Whole(language.Text(random, 18), _ => 1);

    /// <summary>A task's item as an adapter learns it: the answer and, for less, the text around; not the operand, which can't be foretold.</summary>
    public static TrainingText Lesson(TextTask task, Philox random, float textWeight)
    {
        var item = task.Draw(random, kept: false);
        return Answered(item.Prompt, item.Choices[item.Answer], textWeight);
    }

    private TrainingText Single(Philox random)
    {
        var alphabet = random.Pick(Symbols.Alphabets);
        var operand = TextTask.Operand(alphabet, random, kept: false);
        var operation = random.NextIndex(Operations.All.Length);
        var prompt = Formats.Prompt(random.NextIndex(Formats.Count), random.Pick(dialects).Text(random, TextTask.TextLength), Tag(operation, random), random.Pick(Symbols.Markers), operand);
        return Answered(prompt, Operations.All[operation](operand, alphabet), 0.3f);
    }

    private TrainingText Pair(Philox random)
    {
        var (alphabet, other) = (random.Pick(Symbols.Alphabets), random.Pick(Symbols.Alphabets));
        var (operand, second) = (TextTask.Operand(alphabet, random, kept: false), TextTask.Operand(other, random, kept: false));
        var (operation, next) = (random.NextIndex(Operations.All.Length), random.NextIndex(Operations.All.Length));
        var marker = random.Pick(Symbols.Markers);
        var prompt = TextTask.Pair(
            random.Pick(dialects).Text(random, TextTask.TextLength), Tag(operation, random), random.Pick(Symbols.Markers), operand, Tag(next, random), marker, second);
        return Answered(prompt, $"{Operations.All[operation](operand, alphabet)}{marker}{Operations.All[next](second, other)}", 0.3f);
    }

    private static char Tag(int operation, Philox random) => random.NextDouble() < 0.5 ? Symbols.Names[operation] : random.Pick(Symbols.Tags);

    private static TrainingText Answered(string prompt, string answer, float textWeight) =>
        Whole(prompt + answer + Symbols.End, i => i >= prompt.Length ? 1 : Symbols.Scripts.Any(s => s.Contains(prompt[i])) ? textWeight : 0);

    private static TrainingText Whole(string text, Func<int, float> weight) => new([Symbols.Start, .. Symbols.Encode(text)], [0, .. Enumerable.Range(0, text.Length).Select(weight)]);
}
