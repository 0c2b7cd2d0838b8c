using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace accounts</c>.</summary>
internal static class AccountsCommand
{
    private static readonly Argument<string> Owner = new("owner") { Description = "The account" };
    private static readonly Argument<string?> AnyOwner = new("owner") { Description = "The account; your own if absent", DefaultValueFactory = _ => null };
    private static readonly Argument<string> ObjectId = new("object-id") { Description = "Object id in the tenant: of a person, a service principal or a managed identity" };

    private static readonly Option<long?> Bytes = new("--bytes") { Description = "Bytes of all versions" };
    private static readonly Option<int?> Adapters = new("--adapters") { Description = "Adapters" };
    private static readonly Option<int?> Uploads = new("--uploads") { Description = "Uploads at a time" };
    private static readonly Option<int?> Keys = new("--keys") { Description = "Keys that work" };
    private static readonly Option<int?> Jobs = new("--jobs") { Description = "Jobs at a time" };
    private static readonly Option<long?> SetBytes = new("--set-bytes") { Description = "Bytes of evaluation sets" };

    public static Command Create()
    {
        var show = new Command("show", "Show what an account uses, and what it may use") { AnyOwner };
        show.Does(Show);
        var quota = new Command("quota", "Set what an account may use; what is not named is what holds for all") { Owner, Bytes, Adapters, Uploads, Keys, Jobs, SetBytes };
        quota.Does(Quota);
        var identities = new Command("identities", "List the identities of the tenant that act as an account") { Owner };
        identities.Does(Identities);
        var bind = new Command("bind", "Let an identity of the tenant act as an account") { Owner, ObjectId };
        bind.Does(Bind);
        var unbind = new Command("unbind", "Take an identity from an account") { Owner, ObjectId };
        unbind.Does(Unbind);
        return new Command("accounts", "Accounts: usage, quotas, identities") { show, quota, identities, bind, unbind };
    }

    private static async Task<int> Show(Call call, CancellationToken ct)
    {
        var client = call.Connect(admin: call.Get(AnyOwner) is not null);
        var owner = call.Get(AnyOwner) ?? (await client.WhoAmI(ct)).Owner
            ?? throw new CliException("unauthenticated", ExitCode.NotAuthorised, "Without a key there is no account.", CliHints.Key);
        Write(call, await client.GetAccount(owner, ct));
        return ExitCode.Ok;
    }

    private static async Task<int> Quota(Call call, CancellationToken ct)
    {
        var request = new SetQuotaRequest(call.Get(Bytes), call.Get(Adapters), call.Get(Uploads), call.Get(Keys), call.Get(Jobs), call.Get(SetBytes));
        Write(call, await call.Connect(admin: true).SetQuota(call.Get(Owner), request, ct));
        return ExitCode.Ok;
    }

    private static async Task<int> Identities(Call call, CancellationToken ct)
    {
        var bound = await call.Connect(admin: true).ListIdentities(call.Get(Owner), ct);
        call.Terminal.Result(bound, console =>
        {
            var table = Tables.Create("object id", "account", "bound by", "bound");
            foreach (var identity in bound.Items)
                table.Row(identity.ObjectId, identity.Owner, identity.BoundBy, Units.Time(identity.BoundAt));
            console.Write(table);
        });
        return ExitCode.Ok;
    }

    private static async Task<int> Bind(Call call, CancellationToken ct)
    {
        var bound = await call.Connect(admin: true).BindIdentity(call.Get(Owner), call.Get(ObjectId), ct);
        call.Terminal.Result(bound, console => console.WriteLine($"{bound.ObjectId} acts as {bound.Owner}."));
        return ExitCode.Ok;
    }

    private static async Task<int> Unbind(Call call, CancellationToken ct)
    {
        var (owner, id) = (call.Get(Owner), call.Get(ObjectId));
        await call.Connect(admin: true).UnbindIdentity(owner, id, ct);
        call.Terminal.Result(new UnbindOutput(owner, id, false), console => console.WriteLine($"{id} no longer acts as {owner}."));
        return ExitCode.Ok;
    }

    private static void Write(Call call, AccountView account) => call.Terminal.Result(account, console =>
    {
        var table = Tables.Create("of " + account.Owner, "used", "may use", "set");
        foreach (var (name, used, most, set) in new (string, long, long, long?)[]
        {
            ("bytes", account.Usage.Bytes, account.Quota.Bytes, account.Set.Bytes),
            ("adapters", account.Usage.Adapters, account.Quota.Adapters, account.Set.Adapters),
            ("uploads", account.Usage.Uploads, account.Quota.Uploads, account.Set.Uploads),
            ("keys", account.Usage.Keys, account.Quota.Keys, account.Set.Keys),
            ("jobs", account.Usage.Jobs, account.Quota.Jobs, account.Set.Jobs),
            ("bytes of sets", account.Usage.EvaluationSetBytes, account.Quota.EvaluationSetBytes, account.Set.EvaluationSetBytes),
        })
        {
            table.Row(name, $"{used}", $"{most}", set is null ? "" : "for this account");
        }

        console.Write(table);
    });

    private sealed record UnbindOutput(string Owner, string ObjectId, bool Bound);
}
