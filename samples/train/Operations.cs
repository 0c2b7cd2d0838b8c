namespace Marketplace.Train;

/// <summary>What can be asked for: from an operand in an alphabet an answer of the same length.</summary>
internal static class Operations
{
    /// <summary>Copy, reverse, rotate to the left, rotate to the right, next symbol, previous symbol.</summary>
    public static readonly Func<string, string, string>[] All =
    [
        (x, _) => x,
        (x, _) => new([.. x.Reverse()]),
        (x, _) => x[1..] + x[0],
        (x, _) => x[^1] + x[..^1],
        (x, alphabet) => Shift(x, alphabet, 1),
        (x, alphabet) => Shift(x, alphabet, alphabet.Length - 1),
    ];

    public const int Copy = 0;
    public const int Reverse = 1;
    public const int Left = 2;
    public const int Right = 3;
    public const int Next = 4;
    public const int Previous = 5;

    private static string Shift(string x, string alphabet, int by) => new([.. x.Select(c => alphabet[(alphabet.IndexOf(c) + by) % alphabet.Length])]);
}
