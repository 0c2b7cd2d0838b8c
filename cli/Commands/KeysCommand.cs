using System.CommandLine;
using Marketplace.Cli.Client;
using Marketplace.Cli.Output;
using Marketplace.Core.Api;
using Spectre.Console;

namespace Marketplace.Cli.Commands;

/// <summary><c>marketplace keys</c>.</summary>
internal static class KeysCommand
{
    private static readonly Argument<string> Name = new("name") { Description = "What the key is for" };
    private static readonly Argument<string> Id = new("id") { Description = "The key's id, as `keys list` shows it" };
    private static readonly Option<string> Scope = new Option<string>("--scope") { Description = "read, publish or admin", DefaultValueFactory = _ => "publish" }
        .AcceptOnlyFromAmong("read", "publish", "admin");

    private static readonly Option<string?> Owner = new("--owner") { Description = "Account of the keys; only an admin may name another than its own" };
    private static readonly Option<int?> Days = new("--days") { Description = "Days until it expires; never if absent" };

    public static Command Create()
    {
        var list = new Command("list", "List your keys, or with --owner another account's") { Owner };
        list.Does(List);
        var create = new Command("create", "Make a key; its token is shown once") { Name, Scope, Owner, Days };
        create.Does(Make);
        var revoke = new Command("revoke", "Take a key back") { Id, Owner };
        revoke.Does(Revoke);
        return new Command("keys", "Manage API keys") { list, create, revoke };
    }

    private static async Task<int> List(Call call, CancellationToken ct)
    {
        var keys = await Connect(call).ListKeys(call.Get(Owner), ct).ToListAsync(ct);
        call.Terminal.Result(new ListResponse<KeyView>(keys), console =>
        {
            var table = Tables.Create("id", "name", "scope", "made", "expires", "last used", "state");
            foreach (var key in keys)
            {
                table.Row(key.Id, key.Name, key.Scope, Units.Time(key.CreatedAt), key.ExpiresAt is { } end ? Units.Time(end) : "never",
                    key.LastUsedOn?.ToString("O") ?? "", key.Revoked ? "revoked" : key.ExpiresAt < DateTimeOffset.UtcNow ? "expired" : "valid");
            }

            console.Write(table);
        });
        return ExitCode.Ok;
    }

    private static async Task<int> Make(Call call, CancellationToken ct)
    {
        DateTimeOffset? expires = call.Get(Days) is { } days ? DateTimeOffset.UtcNow.AddDays(days) : null;
        var key = await Connect(call).CreateKey(new CreateKeyRequest(call.Get(Name), call.Get(Scope)!, call.Get(Owner), expires), ct);
        call.Terminal.Result(key, console => console.WriteLine(key.Token!));
        call.Terminal.Say($"A {key.Scope} key of {key.Owner}. It is not shown again.");
        return ExitCode.Ok;
    }

    private static async Task<int> Revoke(Call call, CancellationToken ct)
    {
        var id = call.Get(Id);
        await Connect(call).RevokeKey(id, call.Get(Owner), ct);
        call.Terminal.Result(new RevokeOutput(id, true), console => console.WriteLine($"{id} is revoked."));
        return ExitCode.Ok;
    }

    // Only an admin has to name an account.
    private static MarketplaceClient Connect(Call call) => call.Connect(admin: call.Get(Owner) is not null);

    private sealed record RevokeOutput(string Id, bool Revoked);
}
