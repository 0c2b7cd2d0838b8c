namespace Marketplace.Core.Validation;

/// <summary>How much an issue weighs.</summary>
public enum IssueSeverity
{
    /// <summary>The adapter is refused.</summary>
    Error,

    /// <summary>The adapter is accepted, but its publisher should look, and some operations leave it out.</summary>
    Warning,

    /// <summary>Worth knowing.</summary>
    Info,
}

/// <summary>A finding about an adapter.</summary>
/// <param name="Code">One of <see cref="IssueCodes"/>.</param>
/// <param name="Severity">How much it weighs.</param>
/// <param name="Path">Where: a tensor's name, a JSON path of the configuration (<c>$.r</c>), or a file's path.</param>
/// <param name="Message">What was found, for people.</param>
public sealed record ValidationIssue(string Code, IssueSeverity Severity, string Path, string Message);

/// <summary>What is known of an issue's code.</summary>
/// <param name="Code">The code.</param>
/// <param name="Severity">The severity of every issue with that code.</param>
/// <param name="Meaning">One line for people.</param>
public sealed record IssueCode(string Code, IssueSeverity Severity, string Meaning);
