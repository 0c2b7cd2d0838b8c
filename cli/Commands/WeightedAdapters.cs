using System.Globalization;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Commands;

/// <summary>Inputs with weights as written on the command line: <c>owner/name[@revision][=weight]</c>.</summary>
internal static class WeightedAdapters
{
    /// <summary>Parses the texts.</summary>
    public static IReadOnlyList<WeightedAdapter> Read(Call call, IEnumerable<string> texts)
    {
        var result = new List<WeightedAdapter>();
        foreach (var text in texts)
        {
            var equals = text.LastIndexOf('=');
            var name = equals < 0 ? text : text[..equals];
            var weight = 1.0;
            if (equals >= 0 && !(double.TryParse(text[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out weight) && double.IsFinite(weight)))
                throw CliException.Usage($"'{text[(equals + 1)..]}' is not a weight.", "Write owner/name=0.5.");
            result.Add(new WeightedAdapter(call.Adapter(name).ToString(), weight));
        }

        return result;
    }
}
