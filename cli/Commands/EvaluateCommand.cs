using System.CommandLine;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace evaluate</c>.</summary>
internal static class EvaluateCommand
{
    private static readonly Argument<string[]> Adapters = new("adapters")
    {
        Description = "Adapters, each scored by itself: owner/name[@revision]",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string[]> Sets = Many("--set", "-s", "Evaluation sets: owner/name[@revision]");
    private static readonly Option<bool> Base = new("--base") { Description = "The base model by itself too" };
    private static readonly Option<string[]> Recipes = Many("--recipe", "-r", "Recipes (.yaml or .json), each scored as what it would make; nothing is published");
    private static readonly Option<string[]> Weighted = Many("--weighted", "-w", "One weighted set of adapters, unmerged: owner/name[@revision][=weight]; a stack of two has weights 1");
    private static readonly Option<string[]> Arrow = Many("--arrow", "-a", "Arrow among these adapters, token by token");
    private static readonly Option<string[]> General = Many("--general", "-g", "With --arrow: general adapters that are subtracted first (GenKnowSub): owner/name[@revision][=weight]");
    private static readonly Option<double?> Beta = new("--beta") { Description = "With --general: how much is subtracted" };
    private static readonly Option<string?> Mode = new Option<string?>("--mode") { Description = "With --general: exact or factorwise" }.AcceptOnlyFromAmong(SubtractionModes.Exact, SubtractionModes.Factorwise);
    private static readonly Option<int?> TopK = new("--top-k") { Description = "With --arrow: adapters that share a token; 4, or 3 after a subtraction" };
    private static readonly Option<double> Temperature = new("--temperature") { Description = "With --arrow: divides the logits", DefaultValueFactory = _ => 1 };
    private static readonly Option<string[]> Mixture = Many("--mixture", "-m", "The mixture of these adapters' distributions: owner/name[@revision][=weight]");
    private static readonly Option<string?> Library = new("--library") { Description = "Each adapter of this base model's library: org/name" };
    private static readonly Option<bool> Mine = new("--mine") { Description = "With --library: your private adapters too" };
    private static readonly Option<bool> Derived = new("--derived") { Description = "With --library: adapters that were merged or subtracted too" };
    private static readonly Option<string?> BaseModel = new("--base-model") { Description = "The base model, where no adapter says it: org/name" };
    private static readonly Option<string?> Registration = new("--registration") { Description = "Number or digest of a registration of the base model's files; the newest if absent" };

    public static Command Create()
    {
        var command = new Command("evaluate", "Score adapters, recipes, routers and mixtures on evaluation sets")
        {
            Adapters, Sets, Base, Recipes, Weighted, Arrow, General, Beta, Mode, TopK, Temperature, Mixture, Library, Mine, Derived, BaseModel, Registration, JobOutput.NoWait,
        };
        command.Does(Run);
        return command;
    }

    private static async Task<int> Run(Call call, CancellationToken ct)
    {
        if (call.Get(Sets) is not { Length: > 0 } sets)
            throw CliException.Usage("Say on what: --set owner/name.");
        if (call.Get(Library) is null && (call.Get(Mine) || call.Get(Derived)))
            throw CliException.Usage("--mine and --derived belong to --library.");
        if (call.Get(Arrow) is not { Length: > 0 } && (call.Get(General) is { Length: > 0 } || call.Get(TopK) is not null))
            throw CliException.Usage("--general and --top-k belong to --arrow.");
        var library = call.Get(Library) is { } name ? new LibraryTargets(name, call.Get(Mine) ? "mine" : "public", call.Get(Derived)) : null;
        var subjects = await Subjects(call, ct);
        if (subjects.Count == 0 && library is null)
            throw CliException.Usage("Say what to score: adapters, --base, --recipe, --arrow, --mixture, --weighted or --library.");
        var client = call.Connect();
        var job = await client.RequestEvaluation(new EvaluationRequest(sets, subjects, library, call.Get(BaseModel), call.Get(Registration)), ct);
        return await JobOutput.Finish(call, client, job, ct);
    }

    private static async Task<List<EvaluationSubject>> Subjects(Call call, CancellationToken ct)
    {
        var subjects = new List<EvaluationSubject>();
        if (call.Get(Base))
            subjects.Add(new BaseSubject());
        subjects.AddRange(call.Get(Adapters).Select(a => new AdapterSubject(call.Adapter(a).ToString())));
        foreach (var path in call.Get(Recipes) ?? [])
            subjects.Add(new RecipeSubject(await Read(path, ct)));
        if (Weights(call, Weighted) is { Count: > 0 } parts)
            subjects.Add(new WeightedSubject([.. parts.Select(p => new WeightedSubjectAdapter(p.Adapter, p.Weight))]));
        if (call.Get(Arrow) is { Length: > 0 } experts)
        {
            var general = Weights(call, General);
            subjects.Add(new ArrowSubject(
                [.. experts.Select(e => new SubjectAdapter(call.Adapter(e).ToString()))], general.Count > 0 ? [.. general.Select(g => new WeightedSubjectAdapter(g.Adapter, g.Weight))] : null,
                call.Get(Mode), call.Get(Beta), call.Get(TopK), call.Get(Temperature)));
        }

        if (Weights(call, Mixture) is { Count: > 0 } mixed)
            subjects.Add(new MixtureSubject([.. mixed.Select(m => new MixturePart(new AdapterSubject(m.Adapter), m.Weight))]));
        return subjects;
    }

    private static async Task<MergeRecipe> Read(string path, CancellationToken ct)
    {
        if (!File.Exists(path))
            throw CliException.Usage($"There is no file '{path}'.", "docs/recipes.md describes recipes.");
        return RecipeReader.TryRead(await File.ReadAllTextAsync(path, ct), out var recipe, out var problem)
            ? recipe : throw new CliException(problem.Code, ExitCode.Refused, $"{path}: {problem.Message}", "docs/recipes.md describes recipes.");
    }

    private static IReadOnlyList<WeightedAdapter> Weights(Call call, Option<string[]> option) => WeightedAdapters.Read(call, call.Get(option) ?? []);

    private static Option<string[]> Many(string name, string alias, string description) =>
        new(name, alias) { Description = description, AllowMultipleArgumentsPerToken = true };
}
