using System.Globalization;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Functions.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>Reads a commit as the clients send it: lines of JSON, a header first, then operations.</summary>
internal static class CommitReader
{
    /// <summary>Most operations of a commit.</summary>
    public const int MaxOperations = 5_000;

    private const int MaxMessage = 2_000;

    /// <summary>Reads the whole body; contents become files in <paramref name="folder"/>.</summary>
    public static async Task<Found<CommitRequest>> ReadAsync(Stream body, string folder, long maxInline, CancellationToken cancellationToken)
    {
        using var lines = new CommitLines(body, folder, maxInline);
        var (header, operations) = (default((string Message, string? Parent)?), new List<CommitOperation>());
        while (await lines.ReadAsync(cancellationToken) is { Problem: var broken } line && (broken is not null || line.Json.Length > 0))
        {
            if (broken is not null)
                return broken;
            if (operations.Count == MaxOperations)
                return HubProblems.BadRequest($"A commit has at most {MaxOperations} operations.");
            if (Parse(line.Json) is not { } json)
                return HubProblems.BadRequest($"Line {operations.Count + (header is null ? 1 : 2)} of the commit is no JSON object with a 'key' and a 'value'.");
            using (json)
            {
                var (key, value) = (Text(json.RootElement, "key"), json.RootElement.GetProperty("value"));
                if ((key == "header") != (header is null))
                    return HubProblems.BadRequest("A commit begins with one header.");
                if (key == "header")
                {
                    header = (Message(value), Text(value, "parentCommit"));
                    continue;
                }

                var (operation, problem) = Operation(key, value, lines.Inline);
                if (operation is null)
                    return problem!;
                operations.Add(operation);
            }
        }

        return header is not { } head ? HubProblems.BadRequest("The commit is empty; it begins with a header.")
            : head.Parent is not null && !GitBlobHash.IsValid(head.Parent) ? HubProblems.BadRequest($"'{head.Parent}' is no commit id of 40 hexadecimal digits.")
            : new CommitRequest(head.Message, head.Parent, operations);
    }

    /// <summary>Says that a path can't be used.</summary>
    public static string InvalidPath(string? path) =>
        $"'{path}' is not a path that every client can fetch: names separated by '/', none of them empty, '.', '..', '.git' or '.cache', without control characters and any of \\ : * ? \" < > | # %.";

    private static Found<CommitOperation> Operation(string? key, JsonElement value, IReadOnlyList<PutInline> inline)
    {
        var path = Text(value, "path");
        if (key == "deletedFolder")
            path = path?.TrimEnd('/');
        if (key is not ("file" or "lfsFile" or "deletedFile" or "deletedFolder"))
            return HubProblems.BadRequest($"'{key}' is no operation that this registry knows; it knows file, lfsFile, deletedFile and deletedFolder.");
        if (!RepositoryPath.IsValid(path))
            return HubProblems.BadRequest(InvalidPath(path));
        return key switch
        {
            "file" => File(path, value, inline),
            "lfsFile" => LfsFile(path, value),
            "deletedFile" => new RemoveFile(path),
            _ => new RemoveFolder(path),
        };
    }

    private static Found<CommitOperation> File(string path, JsonElement value, IReadOnlyList<PutInline> inline)
    {
        if (Text(value, "encoding") is not (null or "base64"))
            return HubProblems.BadRequest($"'{path}': contents are encoded as base64.");
        return int.TryParse(Text(value, "content"), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < inline.Count
            ? inline[number] with { Path = path }
            : HubProblems.BadRequest($"'{path}' has no content.");
    }

    private static Found<CommitOperation> LfsFile(string path, JsonElement value)
    {
        if (Text(value, "algo") is not (null or "sha256"))
            return HubProblems.BadRequest($"'{path}': objects are named by their SHA-256.");
        if (!Digest.TryParse(Text(value, "oid"), out var oid))
            return HubProblems.BadRequest($"'{path}': the name of its object is no SHA-256 of 64 lower-case hexadecimal digits.");
        long? size = null;
        if (value.TryGetProperty("size", out var given) && given.ValueKind != JsonValueKind.Null)
        {
            if (given.ValueKind != JsonValueKind.Number || !given.TryGetInt64(out var bytes) || bytes < 0)
                return HubProblems.BadRequest($"'{path}': its size is no number of bytes.");
            size = bytes;
        }

        return new PutObject(path, oid, size);
    }

    private static JsonDocument? Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            var json = JsonDocument.Parse(line);
            if (json.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("key", out var key) && key.ValueKind == JsonValueKind.String
                && root.TryGetProperty("value", out var value) && value.ValueKind == JsonValueKind.Object)
                return json;
            json.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Message(JsonElement header)
    {
        var message = Text(header, "summary") is { Length: > 0 } summary ? summary : "Commit";
        if (Text(header, "description") is { Length: > 0 } description)
            message += "\n\n" + description;
        return message.Length <= MaxMessage ? message : message[..(char.IsHighSurrogate(message[MaxMessage - 1]) ? MaxMessage - 1 : MaxMessage)];
    }

    private static string? Text(JsonElement value, string name)
    {
        try
        {
            return value.TryGetProperty(name, out var member) && member.ValueKind == JsonValueKind.String ? member.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair: no text.
            return null;
        }
    }
}
