using Marketplace.Core.Validation;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Validation;

public sealed class ValidationCaseTests
{
    public static TheoryData<string> Names => [.. ValidationCases.All.Select(c => c.Name)];

    public static TheoryData<string> Checks => [.. ValidationChecks.All.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_finding_is_reported_with_its_place_and_nothing_else_is(string name)
    {
        var @case = ValidationCases.All.Single(c => c.Name == name);
        var report = ValidationCases.Run(@case);
        Assert.Equal(@case.Expected.Order(StringComparer.Ordinal), ValidationCases.Written(report).Order(StringComparer.Ordinal));
        Assert.Equal(report.Issues.All(i => i.Severity != IssueSeverity.Error), report.Accepted);
        Assert.All(report.Issues, i => Assert.NotEmpty(i.Message));
    }

    [Theory]
    [MemberData(nameof(Checks))]
    public void Without_a_check_some_case_fails(string check) =>
        Assert.Contains(ValidationCases.All, c => !c.Expected.Order(StringComparer.Ordinal).SequenceEqual(
            ValidationCases.Written(ValidationCases.Run(c, check)).Order(StringComparer.Ordinal)));

    [Fact]
    public void Names_of_cases_and_checks_are_unique()
    {
        Assert.Equal(ValidationCases.All.Count, ValidationCases.All.DistinctBy(c => c.Name).Count());
        Assert.Equal(ValidationChecks.All.Length, ValidationChecks.All.DistinctBy(c => c.Name).Count());
    }

    [Fact]
    public void Every_code_has_a_case_except_what_only_the_service_can_know()
    {
        var produced = ValidationCases.All.SelectMany(c => c.Expected).Select(e => e.Split(' ')[0]).Distinct();
        Assert.Equal(
            IssueCodes.All.Select(c => c.Code).Except(IssueCodes.OfTheService).Order(StringComparer.Ordinal), produced.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_constant_is_registered_once()
    {
        var constants = typeof(IssueCodes).GetFields().Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!);
        Assert.Equal(constants.Order(StringComparer.Ordinal), IssueCodes.All.Select(c => c.Code).Order(StringComparer.Ordinal));
        Assert.Throws<ArgumentException>(() => IssueCodes.Issue("no-such-code", "", ""));
    }

    [Fact]
    public void The_documentation_lists_every_code_with_its_severity_and_meaning()
    {
        var lines = File.ReadAllLines(Path.Combine(Fixtures.Repository, "docs", "validation.md"));
        var documented = lines.Where(l => l.StartsWith("| `", StringComparison.Ordinal)).Select(l => l.Trim('|', ' ').Split(" | ")).ToList();
        Assert.Equal(
            IssueCodes.All.Select(c => ($"`{c.Code}`", c.Severity.ToString().ToLowerInvariant(), c.Meaning)),
            documented.Select(cells => (cells[0], cells[1], cells[2])));
    }
}
