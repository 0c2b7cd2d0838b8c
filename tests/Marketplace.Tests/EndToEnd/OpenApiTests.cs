using System.Text.Json;
using Marketplace.Functions;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.EndToEnd;

/// <summary>The API's description of itself.</summary>
public sealed class OpenApiTests(OpenApiTests.Fixture fixture) : IClassFixture<OpenApiTests.Fixture>
{
    private readonly Stack stack = fixture.Stack;

    public sealed class Fixture(AzuriteFixture azurite) : StackFixture(azurite, new StackSettings());

    [Fact]
    public Task The_document_lists_every_function_of_the_table() => stack.RunAsync(async () =>
    {
        using var http = new HttpClient { BaseAddress = stack.Address };
        var cancel = TestContext.Current.CancellationToken;
        using var document = JsonDocument.Parse(await http.GetStringAsync("/openapi/v1.json", cancel));
        var described = document.RootElement.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => (
                Name: operation.Value.GetProperty("operationId").GetString()!, Method: operation.Name.ToUpperInvariant(), Route: path.Name)));
        var table = FunctionTable.Http.Select(f => (f.Name, f.Method, Route: FunctionTable.RoutePrefix + f.Route.Replace("**", "", StringComparison.Ordinal)));
        Assert.Equal(table.OrderBy(f => f.Name, StringComparer.Ordinal), described.OrderBy(f => f.Name, StringComparer.Ordinal));
    });

    [Fact]
    public void Every_function_is_documented()
    {
        var lines = File.ReadAllLines(Path.Combine(Fixtures.Repository, "docs", "api.md")).Where(l => l.StartsWith('|')).ToList();
        foreach (var function in FunctionTable.Http)
        {
            var route = function.Route.Replace("**", "", StringComparison.Ordinal);
            Assert.True(
                lines.Any(l => l.Split('|')[1] is var cell && cell.Contains(function.Method, StringComparison.Ordinal)
                    && (cell.Contains($"`{route}`", StringComparison.Ordinal) || cell.Contains($"`{route}?", StringComparison.Ordinal))),
                $"docs/api.md does not list {function.Method} {route}.");
        }
    }
}
