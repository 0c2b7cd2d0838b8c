using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Core.Api;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Formats;

/// <summary>A parent that a card may name.</summary>
/// <param name="Version">The version.</param>
/// <param name="Weight">Factor of its ΔW.</param>
/// <param name="Role">input, target or general.</param>
/// <param name="License">Its licence, as its own card says.</param>
/// <param name="Languages">Its languages.</param>
/// <param name="Datasets">The datasets it was trained on.</param>
/// <param name="PipelineTag">Its task.</param>
public sealed record CardParent(
    VersionReference Version, double Weight, string Role, string? License, ImmutableArray<string> Languages, ImmutableArray<string> Datasets, string? PipelineTag);

/// <summary>
/// The model card of a derived adapter. It is published with the adapter's bytes and may be read by whoever may ever see these, so it names only parents that everybody sees. A function of its members: no clock, no
/// durations, nothing of the machine, and not the adapter's own name, because the version's id depends on it: the same request under two names gives the same bytes.
/// </summary>
public sealed record DerivedCard
{
    /// <summary>Grows when the same members give another text; part of what a job is asked for.</summary>
    public const int Version = 1;

    private const int Worst = 5;
    private const int MostTensors = 20;
    private const double Notable = 0.1;

    private static readonly JsonSerializerOptions Indented = new()
    {
        // The default encoder leaves nothing that could end a block of Markdown.
        WriteIndented = true,
        NewLine = "\n",
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <summary>The canonical base model.</summary>
    public required string BaseModel { get; init; }

    /// <summary>The method.</summary>
    public required string Method { get; init; }

    /// <summary>Whether coefficients were learned from examples.</summary>
    public bool Learned { get; init; }

    /// <summary>The parents that everybody sees.</summary>
    public required ImmutableArray<CardParent> Parents { get; init; }

    /// <summary>Whether there are others. How many is nobody's business.</summary>
    public bool Hidden { get; init; }

    /// <summary>The recipe, parents by version; not shown where there are hidden ones.</summary>
    public required MergeRecipe Recipe { get; init; }

    /// <summary>What became of the merge, as somebody may read it who sees no more than these parents.</summary>
    public required MergeReportView Report { get; init; }

    /// <summary>The rank that both files have.</summary>
    public required int Rank { get; init; }

    /// <summary>Modules, those written for coverage included.</summary>
    public required int Modules { get; init; }

    /// <summary>
    /// The licence that the parents' licences leave: the one that all have, or the one that share-alike demands. Null where any parent is hidden or says nothing, where licences conflict or forbid derivatives, and where they leave a
    /// choice.
    /// </summary>
    public string? License
    {
        get
        {
            if (Hidden || Parents.IsEmpty)
                return null;
            var combined = Licences.Combine([.. Parents.Select(p => (p.Version.Adapter, p.License))]);
            if (!combined.Unknown.IsEmpty || !combined.Conflicts.IsEmpty || combined.Derivatives is Permission.No or Permission.Unknown)
                return null;
            var ids = combined.Parents.Select(p => p.Terms!.Id).Distinct(StringComparer.Ordinal).ToList();
            return (combined.ShareAlike.IsEmpty ? ids : ids.Intersect(combined.ShareAlike, StringComparer.Ordinal).ToList()) is [var one] ? one : null;
        }
    }

    /// <summary>README.md.</summary>
    public byte[] Write() => Encoding.UTF8.GetBytes(FrontMatter() + Body());

    private string FrontMatter() => new CardYaml()
        .Add("base_model", BaseModel)
        .Add("base_model_relation", "adapter")
        .Add("library_name", "peft")
        .Add("pipeline_tag", Parents.Select(p => p.PipelineTag).Distinct(StringComparer.Ordinal).ToList() is [{ } task] && !Hidden ? task : null)
        .Add("license", License)
        .Add("language", Union(p => p.Languages))
        .Add("datasets", Union(p => p.Datasets))
        .Add("tags", ["lora", Kind, .. Method == Kind ? Array.Empty<string>() : [Method]])
        .ToString();

    private List<string> Union(Func<CardParent, ImmutableArray<string>> texts) => [.. Parents.SelectMany(p => texts(p)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private string Kind => Learned ? "composition" : Method is LinearMethods.GenKnowSub or GenKnowSubMethods.Project or GenKnowSubMethods.Factorwise ? "subtraction" : "merge";

    private string Body()
    {
        var text = new StringBuilder();
        void Line(string line = "") => text.Append(line).Append('\n');
        Line();
        Line($"# {Title()}");
        Line();
        Line($"A LoRA adapter for {Code(BaseModel)}: {What()} It has rank {Rank} in {Modules} modules; its scaling is part of the factors, so that every server reads it alike.");
        Line();
        Line("## Made from");
        Line();
        WriteParents(Line);
        Line("## How");
        Line();
        WriteRecipe(Line);
        Line("## What became of it");
        Line();
        WriteReport(Line);
        Line("## Load it");
        Line();
        WriteLoading(Line);
        return text.ToString();
    }

    private string Title() => Kind switch
    {
        "subtraction" => $"A residual for {Code(BaseModel)}",
        "composition" => $"A learned composition for {Code(BaseModel)}",
        _ => $"A merge for {Code(BaseModel)}",
    };

    private string What() => Kind switch
    {
        "subtraction" => "what is left of an adapter when general knowledge is subtracted from it.",
        "composition" => $"others combined by {Code(Method)} with coefficients that were learned from examples.",
        _ => $"others merged by {Code(Method)}.",
    };

    private void WriteParents(Action<string> line)
    {
        if (!Parents.IsEmpty)
        {
            line("| adapter | version | id | as | weight | share of the result |");
            line("|---|---|---|---|---|---|");
        }

        foreach (var parent in Parents)
        {
            var share = Report.Parents.FirstOrDefault(p => p.Versions.Contains(parent.Version))?.Share;
            line($"| {Code(parent.Version.Adapter)} | {parent.Version.Number} | {Code(parent.Version.Id[..12])} | {parent.Role} | {Number(parent.Weight)} | {(share is { } s ? Percent(s) : "")} |");
        }

        if (Hidden)
        {
            line("");
            line(Parents.IsEmpty ? "None of its parents is public." : "And others that are not public.");
        }

        line("");
    }

    private void WriteRecipe(Action<string> line)
    {
        if (Hidden)
        {
            line($"By {Code(Method)}. The recipe is not shown, because it names adapters that are not public.");
            line("");
            return;
        }

        if (Learned)
        {
            line("The coefficients were learned from examples; this is what learning began with.");
            line("");
        }

        line("```json");
        line(JsonSerializer.Serialize(Recipe with { Output = null, Notes = null }, Indented));
        line("```");
        line("");
    }

    private void WriteReport(Action<string> line)
    {
        line($"- Cutting ΔW to rank {Report.Rank} discarded {Percent(Report.RelativeDiscarded)} of its norm.");
        foreach (var module in Report.Modules.Where(m => m.RelativeDiscarded >= Notable).OrderByDescending(m => m.RelativeDiscarded).ThenBy(m => m.Module, StringComparer.Ordinal).Take(Worst))
            line($"- {Code(module.Module)} lost {Percent(module.RelativeDiscarded)}.");
        if (Report.General is { } general)
            line($"- {Percent(general.Share)} of the target was general; the subtraction took {Percent(general.EnergyRemoved)} of its energy.");
        if (Report.Norm == 0)
            line("- Warning: the result changes nothing.");
        if (Report.RelativeDiscarded >= Notable)
            line("- Warning: much was discarded; a higher rank keeps more.");
        foreach (var parent in Report.Parents.Where(p => p.NotMerged.Count > 0 && p.Versions.Count > 0))
        {
            var tensors = string.Join(", ", parent.NotMerged.Take(MostTensors).Select(Code)) + (parent.NotMerged.Count > MostTensors ? $" and {parent.NotMerged.Count - MostTensors} more" : "");
            line($"- Warning: of {Code(parent.Versions[0].Adapter)} these are no LoRA factors and have no place in the result: {tensors}.");
        }

        line("");
    }

    private void WriteLoading(Action<string> line)
    {
        line("`HF_ENDPOINT` is the address of the marketplace that has it, `ADAPTER` its name there; the base model has to be at hand, or to be had there too.");
        line("");
        line("```sh");
        line("export HF_ENDPOINT=https://ADDRESS ADAPTER=owner/name");
        line("hf download \"$ADAPTER\" --local-dir adapter");
        line($"vllm serve {Shell(BaseModel)} --enable-lora --max-lora-rank {Rank} --lora-modules lora=\"$ADAPTER\"");
        line($"lorax-launcher --model-id {Shell(BaseModel)} --adapter-id \"$ADAPTER\"");
        line("```");
        line("");
        line("```python");
        line("import os");
        line("from peft import PeftModel");
        line("from transformers import AutoModelForCausalLM");
        line("");
        line($"base = AutoModelForCausalLM.from_pretrained({JsonSerializer.Serialize(BaseModel)})");
        line("model = PeftModel.from_pretrained(base, os.environ[\"ADAPTER\"])");
        line("```");
    }

    // Names of modules are strangers' texts.
    private static string Code(string text) => $"`{string.Concat(text.Select(c => c is '`' or '|' || char.IsControl(c) ? '?' : c))}`";

    private static string Shell(string text) => text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-') ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (share * 100).ToString("0.##", CultureInfo.InvariantCulture) + " %";
}
