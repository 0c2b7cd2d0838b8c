using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Marketplace.Cli.Azurite;
using Xunit;

namespace Marketplace.Tests.Hub;

/// <summary>A client of the Hub as people have it, in a process of its own, driven line by line.</summary>
internal sealed class HubClient : IAsyncDisposable
{
    /// <summary>Names the command that starts a Python with huggingface_hub, blanks between its parts; without it tests with that client are skipped.</summary>
    public const string PythonVariable = "MARKETPLACE_HUB_PYTHON";

    private static readonly string Source = Path.Combine(AppContext.BaseDirectory, "Hub", "Clients");
    private static readonly NpmInstall Npm = new("huggingface-hub-2.17.5", Source);

    private readonly Process process;
    private readonly Task<string> errors;
    private readonly SemaphoreSlim turn = new(1);

    private HubClient(ProcessStartInfo info)
    {
        info.RedirectStandardInput = info.RedirectStandardOutput = info.RedirectStandardError = true;
        process = Process.Start(info) ?? throw new InvalidOperationException($"{info.FileName} did not start.");
        errors = process.StandardError.ReadToEndAsync();
    }

    /// <summary>@huggingface/hub under Node.js.</summary>
    public static async Task<HubClient> NodeAsync(Uri address, string? token) =>
        new(new ProcessStartInfo("node", [Path.Combine(Source, "client.mjs"), await Npm.EnsureAsync(), address.AbsoluteUri.TrimEnd('/'), token ?? "-"]));

    /// <summary>huggingface_hub under Python.</summary>
    public static HubClient Python(Uri address, string? token, string home) => new(PythonInfo(address, token, home, [Path.Combine(Source, "client.py")]));

    /// <summary>How Python is started with some arguments; the test is skipped where there is none.</summary>
    public static ProcessStartInfo PythonInfo(Uri address, string? token, string home, IReadOnlyList<string> arguments)
    {
        var command = Environment.GetEnvironmentVariable(PythonVariable);
        if (string.IsNullOrWhiteSpace(command))
            Assert.Skip($"{PythonVariable} is not set.");
        var parts = command!.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var info = new ProcessStartInfo(parts[0], [.. parts[1..], .. arguments]);
        info.Environment["HF_ENDPOINT"] = address.AbsoluteUri.TrimEnd('/');
        info.Environment["HF_HOME"] = home;
        info.Environment["HF_HUB_DISABLE_TELEMETRY"] = "1";
        if (token is null)
            info.Environment.Remove("HF_TOKEN");
        else
            info.Environment["HF_TOKEN"] = token;
        return info;
    }

    /// <summary>What the client made of an operation that has to succeed.</summary>
    public async Task<JsonObject> CallAsync(string operation, object given)
    {
        var answer = await AskAsync(operation, given);
        Assert.True(answer["failure"] is null, $"{operation} failed: {answer["failure"]?.ToJsonString()}");
        return answer;
    }

    /// <summary>How the client failed in an operation that has to fail.</summary>
    public async Task<ClientFailure> FailAsync(string operation, object given)
    {
        var answer = await AskAsync(operation, given);
        var failure = answer["failure"];
        Assert.True(failure is not null, $"{operation} succeeded: {answer.ToJsonString()}");
        return new ClientFailure((string)failure!["kind"]!, (int)failure["status"]!, (string)failure["message"]!);
    }

    public async ValueTask DisposeAsync()
    {
        process.StandardInput.Close();
        if (!process.WaitForExit(TimeSpan.FromSeconds(5)))
            process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
        turn.Dispose();
    }

    private async Task<JsonObject> AskAsync(string operation, object given)
    {
        var request = JsonSerializer.SerializeToNode(given, given.GetType())!.AsObject();
        request["operation"] = operation;
        await turn.WaitAsync();
        try
        {
            await process.StandardInput.WriteLineAsync(request.ToJsonString());
            await process.StandardInput.FlushAsync();
            var line = await process.StandardOutput.ReadLineAsync();
            Assert.True(line is not null, $"The client ended in {operation}: {(line is null ? await errors : "")}");
            return JsonNode.Parse(line!)!.AsObject();
        }
        finally
        {
            turn.Release();
        }
    }
}

/// <summary>What a client told its user of a failure.</summary>
/// <param name="Kind">Class of the exception.</param>
/// <param name="Status">HTTP status, or 0.</param>
/// <param name="Message">Its text.</param>
internal sealed record ClientFailure(string Kind, int Status, string Message);
