using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Validation;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace sets</c>.</summary>
internal static class SetsCommand
{
    private static readonly Argument<string> File = new("file") { Description = "JSON lines: one item per line" };
    private static readonly Argument<string> Name = new("set") { Description = "owner/name" };
    private static readonly Argument<string> Version = new("set") { Description = "owner/name, or owner/name@revision (a number or a digest)" };

    private static readonly Argument<string?> NewName = new("set")
    {
        Description = "owner/name, or a name in your account; the file's name if absent",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Argument<string?> Target = new("target") { Description = "Where the items go; a file of the set's name if absent", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> Owner = new("--owner") { Description = "Only this account's" };
    private static readonly Option<bool> Private = new("--private") { Description = "Only you may see it; counts when the set is new" };
    private static readonly Option<string?> Message = new("--message") { Description = "A line about the version" };
    private static readonly Option<EvaluationKind?> Kind = new("--kind") { Description = "What the items ask; told from the first item if absent" };
    private static readonly Option<Metric?> Ranking = new("--metric") { Description = "The score that ranks" };
    private static readonly Option<string?> Separator = new("--separator") { Description = "Stands between a prompt and what continues it" };
    private static readonly Option<bool?> IgnoreCase = new("--ignore-case") { Description = "Generated texts match answers without regard to case" };
    private static readonly Option<string?> Description = new("--description") { Description = "What the set is about" };
    private static readonly Option<string?> Licence = new("--licence") { Description = "Under what terms it may be used" };
    private static readonly Option<bool> Undo = new("--undo") { Description = "List it again" };

    public static Command Create()
    {
        var publish = new Command("publish", "Check a file and publish it as a version of a set") { File, NewName, Private, Message, Kind, Ranking, Separator, IgnoreCase, Description, Licence };
        publish.Does(Publish);
        var list = new Command("list", "List evaluation sets") { Owner };
        list.Does(List);
        var show = new Command("show", "Show a set and its versions") { Name };
        show.Does(Show);
        var download = new Command("download", "Fetch a version's items and verify their digest") { Version, Target };
        download.Does(Download);
        var unlist = new Command("unlist", "Hide a set from lists; it can still be used") { Name, Undo };
        unlist.Does(Unlist);
        var delete = new Command("delete", "Delete a set with its versions and all results on it") { Name };
        delete.Does(Delete);
        return new Command("sets", "Evaluation sets: what models are scored on") { publish, list, show, download, unlist, delete };
    }

    private static async Task<int> Publish(Call call, CancellationToken ct)
    {
        var file = call.Get(File);
        var fields = new EvaluationSetFields(
            call.Get(Kind), call.Get(Ranking), call.Get(Separator), call.Get(IgnoreCase), call.Get(Description), call.Get(Licence));
        if (!EvaluationSetReader.TryRead(await System.IO.File.ReadAllBytesAsync(file, ct), out var set, out var problems, fields))
        {
            throw new CliException("invalid-set", ExitCode.Refused, $"{file} would be refused, so nothing was sent.", "docs/evaluation.md tells the members of each kind.")
            {
                Issues = [.. problems.Select(Issue)],
            };
        }

        var client = call.Connect();
        var name = await client.ResolveOwnName(call.Get(NewName) ?? Path.GetFileNameWithoutExtension(file), ct);
        var published = await client.PublishSet(name, call.Get(Private), call.Get(Message), set, ct);
        // Of the file's own lines, which the canonical ones need not have.
        var result = published with { Warnings = [.. problems.Select(Issue)] };
        call.Terminal.Result(result, console =>
        {
            if (result.Warnings.Count > 0)
                console.Write(Tables.Issues(result.Warnings));
            console.WriteLine($"published {result.Version.Set}@{result.Version.Number}: {result.Version.Items} items, {ApiJson.Name(result.Version.Header.Kind)}, ranked by {ApiJson.Name(result.Version.Header.Metric)}");
        });
        return ExitCode.Ok;
    }

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var sets = await call.Connect().ListSets(call.Get(Owner), ct);
        call.Terminal.Result(sets, console => console.Write(EvaluationOutput.Sets(sets.Items)));
        return ExitCode.Ok;
    }

    private static async Task<int> Show(Call call, CancellationToken ct)
    {
        var (client, name) = (call.Connect(), Read(call.Get(Name)));
        var set = await client.GetSet(name, ct);
        var versions = await client.ListSetVersions(name, ct);
        call.Terminal.Result(new ShowOutput(set, versions.Items), console => EvaluationOutput.Show(console, set, versions.Items));
        return ExitCode.Ok;
    }

    private static async Task<int> Download(Call call, CancellationToken ct)
    {
        var reference = AdapterReference.Parse(call.Get(Version));
        var bytes = await call.Connect().DownloadSet(reference.Id, reference.Revision ?? "main", ct);
        var target = call.Get(Target) ?? $"{reference.Id.Name}.jsonl";
        await System.IO.File.WriteAllBytesAsync(target, bytes, ct);
        var output = new DownloadOutput(reference.ToString(), Path.GetFullPath(target), bytes.Length, Core.Digest.Of(bytes).Hex);
        call.Terminal.Result(output, console => console.WriteLine($"{reference}: {Units.Bytes(bytes.Length)}, verified, in {target}"));
        return ExitCode.Ok;
    }

    private static async Task<int> Unlist(Call call, CancellationToken ct)
    {
        var set = await call.Connect().SetSetListed(Read(call.Get(Name)), call.Get(Undo), ct);
        call.Terminal.Result(set, console => console.WriteLine($"{set.Id} is {(set.Listed ? "listed" : "unlisted")}."));
        return ExitCode.Ok;
    }

    private static async Task<int> Delete(Call call, CancellationToken ct)
    {
        var name = Read(call.Get(Name));
        await call.Connect().DeleteSet(name, ct);
        call.Terminal.Result(new DeleteOutput(name.ToString(), true), console => console.WriteLine($"{name} is deleted, with all results on it."));
        return ExitCode.Ok;
    }

    private static IssueView Issue(EvaluationSetProblem problem) => new(
        problem.Code, problem.Severity == IssueSeverity.Error ? "error" : "warning",
        problem.Line == 0 ? problem.Member : problem.Member is null ? $"line {problem.Line}" : $"line {problem.Line}: {problem.Member}", problem.Message);

    private static Core.AdapterId Read(string text) => AdapterReference.Parse(text) is { Revision: null } reference
        ? reference.Id : throw CliException.Usage($"'{text}' names a version; this is about the whole set.", "Write owner/name.");

    private sealed record ShowOutput(EvaluationSetView Set, IReadOnlyList<EvaluationSetVersionView> Versions);

    private sealed record DownloadOutput(string Set, string File, long Bytes, string Digest);

    private sealed record DeleteOutput(string Set, bool Deleted);
}
