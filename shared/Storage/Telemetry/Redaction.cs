using System.Text.RegularExpressions;

namespace Marketplace.Storage.Telemetry;

/// <summary>
/// Takes secrets out of what leaves the process as telemetry: signatures of addresses, tokens, account keys, keys of tables. No code of ours puts any of them there; this is for what
/// libraries say, in messages of exceptions for instance.
/// </summary>
public static partial class Redaction
{
    /// <summary>What stands where a secret stood.</summary>
    public const string Mark = "***";

    /// <summary>A text without secrets; the same text if there are none.</summary>
    public static string Clean(string text)
    {
        // Most texts have nothing that looks like one; the expression is for the others.
        if (!Suspicious().IsMatch(text))
            return text;
        text = Signature().Replace(text, $"$1={Mark}");
        text = Setting().Replace(text, $"$1={Mark}");
        text = Scheme().Replace(text, $"$1 {Mark}");
        text = Token().Replace(text, Mark);
        return Entity().Replace(text, $"({Mark})");
    }

    /// <summary>An address without its query, and without the keys of a table's row, which may be a token's hash.</summary>
    public static string Address(string address)
    {
        var end = address.AsSpan().IndexOfAny('?', '#');
        var bare = end < 0 ? address : address[..end];
        var row = bare.IndexOf('(', StringComparison.Ordinal) is var plain and >= 0 ? plain : bare.IndexOf("%28", StringComparison.OrdinalIgnoreCase);
        return row < 0 ? bare : bare[..row];
    }

    [GeneratedRegex(@"sig|hf_|eyJ|key=|Bearer|Shared|PartitionKey|AccountKey|InstrumentationKey", RegexOptions.IgnoreCase)]
    private static partial Regex Suspicious();

    // A signed address's query parameter; the mark itself must not look like one again.
    [GeneratedRegex(@"(?:\b|(?<=%3F|%26))(sig)(?:=|%3D)[^&\s""'<>\\]+", RegexOptions.IgnoreCase)]
    private static partial Regex Signature();

    // Parts of connection strings.
    [GeneratedRegex(@"\b(AccountKey|SharedAccessSignature|SharedAccessKey|InstrumentationKey)=[^;\s""'\\]+", RegexOptions.IgnoreCase)]
    private static partial Regex Setting();

    // What follows a scheme in a header.
    [GeneratedRegex(@"\b(Bearer|SharedKey|SharedKeyLite)[ :]+[A-Za-z0-9][A-Za-z0-9._~+/=:-]{7,}", RegexOptions.IgnoreCase)]
    private static partial Regex Scheme();

    // API keys, and JSON web tokens.
    [GeneratedRegex(@"\bhf_[A-Za-z0-9]{8,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")]
    private static partial Regex Token();

    // The keys of a table's row, in an address or a message.
    [GeneratedRegex(@"(?:\(|%28)PartitionKey(?:=|%3D)[^)\s]*(?:\)|%29)", RegexOptions.IgnoreCase)]
    private static partial Regex Entity();
}
