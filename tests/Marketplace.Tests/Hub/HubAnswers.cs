using System.Text.Json;
using System.Text.RegularExpressions;
using Marketplace.Tests.Support;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>Answers of the Hub's protocol as a client takes them apart.</summary>
internal static partial class HubAnswers
{
    /// <summary>A member that is a text; absence fails.</summary>
    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;

    /// <summary>The JSON at a path, which has to be there.</summary>
    public static async Task<JsonElement> JsonAsync(this StackApi api, string path)
    {
        var answer = await api.AtAsync(HttpMethod.Get, path);
        Assert.True(answer.Status == 200, $"{path} answers {answer.Status}: {answer.Body}");
        return JsonDocument.Parse(answer.Body).RootElement;
    }

    /// <summary>Items of all pages of a list, each page reached by the link of the one before.</summary>
    public static async Task<List<string>> PagesAsync(this StackApi api, string path, Func<JsonElement, string> item)
    {
        var items = new List<string>();
        for (string? next = path; next is not null;)
        {
            var answer = await api.AtAsync(HttpMethod.Get, next);
            Assert.True(answer.Status == 200, $"{next} answers {answer.Status}: {answer.Body}");
            items.AddRange(JsonDocument.Parse(answer.Body).RootElement.EnumerateArray().Select(item));
            next = answer.Headers.TryGetValue("Link", out var link) ? new Uri(NextPage().Match(link).Groups[1].Value).PathAndQuery : null;
            Assert.True(items.Count < 1000, "The pages never end.");
        }

        return items;
    }

    // What npm's client takes for a next page.
    [GeneratedRegex("^<(https?://[^>]+)>; rel=\"next\"$")]
    private static partial Regex NextPage();
}
