using Marketplace.Core.Algebra;

namespace Marketplace.Train;

/// <summary>A family of tasks: in one alphabet, behind one marker, one operation is meant.</summary>
internal sealed record Family(string Name, int Alphabet, char Marker, int Operation)
{
    public static readonly Family[] All =
    [
        new("reverse", 0, ':', Operations.Reverse), new("left", 1, '=', Operations.Left), new("right", 2, '|', Operations.Right),
        new("next", 3, '>', Operations.Next), new("previous", 4, '~', Operations.Previous), new("copy", 5, '^', Operations.Copy),
    ];

    public string Symbols => Train.Symbols.Alphabets[Alphabet];
}

/// <summary>How an item is written: where the text in some language, the tag and the operand stand.</summary>
internal static class Formats
{
    public const int Count = 5;

    /// <summary>Everything before the answer.</summary>
    public static string Prompt(int format, string text, char tag, char marker, string operand) => format switch
    {
        0 => $"{text}{tag}{marker}{operand}{marker}",
        1 => $"{marker}{operand}{tag}{text}{marker}",
        2 => $"{tag}{text}{marker}{operand}{marker}",
        3 => $"{text}{marker}{operand}{tag}{marker}",
        _ => $"{tag}{marker}{operand}{text}{marker}",
    };
}

/// <summary>A question with choices.</summary>
/// <param name="Prompt">What is given.</param>
/// <param name="Choices">Answers, of which one is right.</param>
/// <param name="Answer">Its index.</param>
internal sealed record Item(string Prompt, string[] Choices, int Answer);

/// <summary>A task: items of one kind, drawn without end.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Families">The families that it asks of: one, or two for a pair, whose operands come first and whose answers last.</param>
/// <param name="Format">How an item is written.</param>
/// <param name="Tags">Tags that occur.</param>
/// <param name="Languages">Languages that the texts are in.</param>
internal sealed record TextTask(string Name, Family[] Families, int Format, string Tags, Language[] Languages)
{
    public const int OperandLength = 4;
    public const int TextLength = 6;

    /// <summary>Draws an item. The wrong choices are what other operations make of the operand, so that whoever does not know which operation is meant can only guess.</summary>
    public Item Draw(Philox random, bool kept)
    {
        var text = random.Pick(Languages).Text(random, TextLength);
        var (first, answers) = Question(Families[0], random, kept);
        List<string> choices;
        string prompt;
        if (Families.Length == 1)
        {
            prompt = Formats.Prompt(Format, text, random.Pick(Tags), Families[0].Marker, first);
            choices = answers;
        }
        else
        {
            var (second, others) = Question(Families[1], random, kept);
            prompt = Pair(text, random.Pick(Tags), Families[0].Marker, first, random.Pick(Tags), Families[1].Marker, second);
            choices = [.. new[] { (0, 0), (0, 1), (1, 0), (1, 1) }.Select(p => $"{answers[p.Item1]}{Families[1].Marker}{others[p.Item2]}")];
        }

        var place = random.NextIndex(choices.Count);
        (choices[0], choices[place]) = (choices[place], choices[0]);
        return new(prompt, [.. choices], place);
    }

    /// <summary>Everything before the answers of a pair.</summary>
    public static string Pair(string text, char tag, char marker, string operand, char otherTag, char otherMarker, string other) =>
        $"{text}{tag}{marker}{operand}{otherTag}{otherMarker}{other}{marker}";

    /// <summary>Draws an operand. One in five is kept for questions: nothing is trained on these.</summary>
    public static string Operand(string alphabet, Philox random, bool kept)
    {
        while (true)
        {
            string operand = new([.. Enumerable.Range(0, OperandLength).Select(_ => random.Pick(alphabet))]);
            if (operand.Aggregate(0, (sum, c) => (sum * 3) + alphabet.IndexOf(c)) % 5 == 0 == kept)
                return operand;
        }
    }

    // An operand and four answers, the right one first.
    private static (string Operand, List<string> Answers) Question(Family family, Philox random, bool kept)
    {
        while (true)
        {
            var operand = Operand(family.Symbols, random, kept);
            var right = Operations.All[family.Operation](operand, family.Symbols);
            var wrong = Operations.All.Select(o => o(operand, family.Symbols)).Where(a => a != right).Distinct().ToList();
            if (wrong.Count < 3)
                continue;
            for (var i = 0; i < 3; i++)
            {
                var other = i + random.NextIndex(wrong.Count - i);
                (wrong[i], wrong[other]) = (wrong[other], wrong[i]);
            }

            return (operand, [right, .. wrong.Take(3)]);
        }
    }
}
