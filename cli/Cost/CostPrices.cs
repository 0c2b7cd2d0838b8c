using System.Text.Json;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Cost;

/// <summary>One price.</summary>
/// <param name="Price">In the file's currency, for <paramref name="Per"/> units.</param>
/// <param name="Per">How many units that buys.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Date">When it was written down.</param>
/// <param name="Free">Units of each month that cost nothing.</param>
/// <param name="Page">Where it was read; null if it is from memory.</param>
/// <param name="Note">Which meter it is.</param>
internal sealed record CostPrice(double Price, double Per, string Unit, string Date, double Free = 0, string? Page = null, string? Note = null);

/// <summary>A file of prices.</summary>
/// <param name="Currency">Of all of them.</param>
/// <param name="Region">Where they hold.</param>
/// <param name="Prices">By name.</param>
/// <param name="Note">What is to be known of the file.</param>
internal sealed record CostPrices(string Currency, string Region, IReadOnlyDictionary<string, CostPrice> Prices, string? Note = null)
{
    /// <summary>Reads a file of prices.</summary>
    public static CostPrices Read(string json, string file)
    {
        CostPrices? prices;
        try
        {
            prices = JsonSerializer.Deserialize<CostPrices>(json, ApiJson.Options);
        }
        catch (JsonException e)
        {
            throw Refuse(file, e.Message);
        }

        if (prices?.Prices.FirstOrDefault(p => !(p.Value.Price >= 0 && p.Value.Per > 0 && p.Value.Free >= 0 && double.IsFinite(p.Value.Price))) is { Key: { } wrong })
            throw Refuse(file, $"The price '{wrong}' needs price and free from 0 on, and per above it.");
        return prices ?? throw Refuse(file, "It holds no prices.");
    }

    private static CliException Refuse(string file, string message) => new("prices-invalid", ExitCode.Refused, $"{file}: {message}");
}
