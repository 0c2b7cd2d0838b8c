using System.Text.Json;
using System.Text.RegularExpressions;

namespace Marketplace.Core.Api;

/// <summary>Says what is wrong with a JSON document in words that help whoever wrote it.</summary>
public static partial class JsonProblem
{
    /// <summary>The serializer's message names .NET types behind the first sentence; they are left out.</summary>
    public static string Describe(JsonException json)
    {
        var message = json.InnerException is JsonException inner ? inner.Message : json.Message;
        var cut = message.IndexOf(" Path:", StringComparison.Ordinal);
        var sentence = TypeName().Replace(cut < 0 ? message : message[..cut], "the request").Replace(".NET member", "member", StringComparison.Ordinal);
        return ConvertedTo().Replace(sentence, "converted to what is expected here.");
    }

    [GeneratedRegex("(the )?type '[^']*'")]
    private static partial Regex TypeName();

    [GeneratedRegex(@"converted to \S+$")]
    private static partial Regex ConvertedTo();
}
