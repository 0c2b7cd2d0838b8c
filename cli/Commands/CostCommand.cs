using System.CommandLine;
using System.Globalization;
using Marketplace.Cli.Cost;
using Marketplace.Cli.Output;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace cost</c>: what Azure costs a month, from prices and sizes that are files.</summary>
internal static class CostCommand
{
    private static readonly Argument<string?> Size = new("size") { Description = "One size by its name; all if absent", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Prices = new("--prices") { Description = "File of prices; those that came with the program if absent", HelpName = "file" };
    private static readonly Option<string?> Sizes = new("--sizes") { Description = "File of sizes; small, team and public if absent", HelpName = "file" };
    private static readonly Option<string[]> Set = new("--set") { Description = "Another number for what is counted with, such as downloadsPerDay=5000; may be repeated", HelpName = "name=number" };

    public static Command Create()
    {
        var command = new Command("cost", "Estimate what a deployment costs a month on Azure") { Size, Prices, Sizes, Set };
        command.Does((call, ct) => RunAsync(call, ct));
        return command;
    }

    private static async Task<int> RunAsync(Call call, CancellationToken ct)
    {
        var (pricesFile, sizesFile) = (call.Get(Prices) ?? "prices.json", call.Get(Sizes) ?? "sizes.json");
        var prices = CostPrices.Read(await ReadAsync(call.Get(Prices), "prices.json", ct), pricesFile);
        var sizes = CostSize.Read(await ReadAsync(call.Get(Sizes), "sizes.json", ct), sizesFile);
        if (call.Get(Size) is { } name)
        {
            sizes = [sizes.FirstOrDefault(s => s.Name == name)
                ?? throw CliException.Usage($"There is no size '{name}'.", $"{sizesFile} has: {string.Join(", ", sizes.Select(s => s.Name))}.")];
        }

        var estimates = sizes.Select(s => s.With(call.Get(Set) ?? [])).Select(s => new Estimate(s.Name, s.Values, CostModel.Estimate(s, prices, pricesFile))).ToList();
        var used = estimates.SelectMany(e => e.Lines).Select(l => l.Price).Distinct().ToList();
        string[] unread = [.. used.Where(p => prices.Prices[p].Page is null)];
        call.Terminal.Result(
            new CostOutput(prices.Currency, prices.Region, [.. estimates.Select(e => new SizeOutput(e.Size, Math.Round(e.Total, 2), e.Numbers, e.Lines))], unread),
            console => Show(console, estimates, prices));
        if (unread.Length > 0)
            call.Terminal.Say($"{unread.Length} of {used.Count} prices are from memory, not from a page; check them before anything rests on them: {string.Join(", ", unread)}.");
        return ExitCode.Ok;
    }

    private static void Show(IAnsiConsole console, List<Estimate> estimates, CostPrices prices)
    {
        if (estimates is [var only])
        {
            var lines = Tables.Create("service", "what", "quantity a month", "unit", "price", $"{prices.Currency} a month");
            foreach (var line in only.Lines)
            {
                var price = prices.Prices[line.Price];
                lines.Row(
                    line.Service, line.What, Number(line.Quantity), line.Unit,
                    $"{price.Price.ToString("0.######", CultureInfo.InvariantCulture)}{(price.Per == 1 ? "" : $" per {Number(price.Per)}")}{(price.Free > 0 ? $" after {Number(price.Free)}" : "")}", Money(line.Monthly));
            }

            lines.Row(only.Size, "", "", "", "", Money(only.Total));
            console.Write(lines);
            return;
        }

        var table = Tables.Create(["service", "what", .. estimates.Select(e => e.Size)]);
        for (var i = 0; i < estimates[0].Lines.Count; i++)
            table.Row([estimates[0].Lines[i].Service, estimates[0].Lines[i].What, .. estimates.Select(e => Money(e.Lines[i].Monthly))]);
        table.Row([$"{prices.Currency} a month", "", .. estimates.Select(e => Money(e.Total))]);
        console.Write(table);
    }

    private static async Task<string> ReadAsync(string? file, string name, CancellationToken ct)
    {
        if (file is not null)
            return await File.ReadAllTextAsync(file, ct);
        using var reader = new StreamReader(typeof(CostCommand).Assembly.GetManifestResourceStream(name)!);
        return await reader.ReadToEndAsync(ct);
    }

    private static string Money(double value) => value.ToString("#,0.00", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("#,0.##", CultureInfo.InvariantCulture);

    private sealed record Estimate(string Size, IReadOnlyDictionary<string, double> Numbers, IReadOnlyList<CostLine> Lines)
    {
        public double Total => Lines.Sum(l => l.Monthly);
    }

    private sealed record CostOutput(string Currency, string Region, IReadOnlyList<SizeOutput> Sizes, IReadOnlyList<string> FromMemory);

    private sealed record SizeOutput(string Size, double Total, IReadOnlyDictionary<string, double> Numbers, IReadOnlyList<CostLine> Lines);
}
