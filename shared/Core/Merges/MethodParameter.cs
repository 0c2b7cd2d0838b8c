using System.Collections.Immutable;

namespace Marketplace.Core.Merges;

/// <summary>What a parameter holds.</summary>
public enum ParameterKind
{
    /// <summary>A number; it may change over the layers or by conditions.</summary>
    Number,

    /// <summary>A whole number, one for all modules.</summary>
    WholeNumber,

    /// <summary>True or false, one for all modules.</summary>
    Flag,

    /// <summary>One of several words, one for all modules.</summary>
    Choice,
}

/// <summary>A parameter of a merge method.</summary>
/// <param name="Name">As recipes spell it.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Summary">What it does, in a sentence.</param>
/// <param name="Default">Its value if a recipe says nothing; null where that depends on other things, as the summary says.</param>
public sealed record MethodParameter(string Name, ParameterKind Kind, string Summary, RecipeValue? Default)
{
    /// <summary>The smallest number allowed.</summary>
    public double Min { get; init; } = double.NegativeInfinity;

    /// <summary>The largest number allowed.</summary>
    public double Max { get; init; } = double.PositiveInfinity;

    /// <summary>Whether <see cref="Min"/> itself is too small.</summary>
    public bool AboveMin { get; init; }

    /// <summary>Whether <see cref="Max"/> itself is too large.</summary>
    public bool BelowMax { get; init; }

    /// <summary>The words of a choice.</summary>
    public ImmutableArray<string> Choices { get; init; } = [];

    /// <summary>Whether an input may have a value of its own.</summary>
    public bool PerInput { get; init; }

    /// <summary>A number.</summary>
    public static MethodParameter OfNumber(string name, double? value, string summary) => new(name, ParameterKind.Number, summary, value is { } v ? RecipeValue.Of(v) : null);

    /// <summary>A whole number.</summary>
    public static MethodParameter OfWholeNumber(string name, int? value, string summary) => new(name, ParameterKind.WholeNumber, summary, value is { } v ? RecipeValue.Of(v) : null);

    /// <summary>A flag.</summary>
    public static MethodParameter OfFlag(string name, bool value, string summary) => new(name, ParameterKind.Flag, summary, RecipeValue.Of(value));

    /// <summary>A choice; the first word is the default.</summary>
    public static MethodParameter OfChoice(string name, string summary, params ReadOnlySpan<string> choices) =>
        new(name, ParameterKind.Choice, summary, RecipeValue.Of(choices[0])) { Choices = [.. choices] };

    /// <summary>What it may be, in words.</summary>
    public string Values => Kind switch
    {
        ParameterKind.Flag => "true or false",
        ParameterKind.Choice => string.Join(" | ", Choices),
        ParameterKind.WholeNumber => "whole number" + Range,
        _ => "number" + Range,
    };

    /// <summary>Why a value can't be taken; null if it can.</summary>
    public string? Refuse(RecipeValue value)
    {
        var numeric = Kind is ParameterKind.Number or ParameterKind.WholeNumber;
        if (value.Conditions is [_, ..] conditions)
            return numeric && Kind == ParameterKind.Number ? conditions.Select(c => Refuse(c.Value)).FirstOrDefault(r => r is not null) : $"'{Name}' is one value for all modules.";
        if (value.Gradient is [_, ..] && Kind != ParameterKind.Number)
            return $"'{Name}' is one value for all modules.";
        return Kind switch
        {
            ParameterKind.Flag => value.Flag is null ? $"'{Name}' is true or false." : null,
            ParameterKind.Choice => value.Word is { } word && Choices.Contains(word) ? null : $"'{Name}' is one of: {string.Join(", ", Choices)}.",
            _ when value.Flag is not null || value.Word is not null => $"'{Name}' is a number.",
            _ => value.Numbers().Select(Refuse).FirstOrDefault(r => r is not null),
        };
    }

    private string? Refuse(double number)
    {
        if (!double.IsFinite(number))
            return $"'{Name}' is a finite number.";
        if (Kind == ParameterKind.WholeNumber && (number != Math.Floor(number) || Math.Abs(number) > int.MaxValue))
            return $"'{Name}' is a whole number.";
        var fits = (AboveMin ? number > Min : number >= Min) && (BelowMax ? number < Max : number <= Max);
        return fits ? null : $"'{Name}' is a number{Range}.";
    }

    private string Range => double.IsInfinity(Min) && double.IsInfinity(Max)
        ? ""
        : $" in {(AboveMin || double.IsInfinity(Min) ? "(" : "[")}{Bound(Min)}, {Bound(Max)}{(BelowMax || double.IsInfinity(Max) ? ")" : "]")}";

    private static string Bound(double value) => double.IsInfinity(value) ? (value < 0 ? "−∞" : "∞") : value.ToString();
}
