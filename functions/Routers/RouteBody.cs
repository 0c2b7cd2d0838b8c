using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Core;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;
using Marketplace.Functions.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Routers;

/// <summary>What a caller sends to be routed: numbers by module, hidden states or logits.</summary>
/// <param name="IsLogits">Whether they are products with the prototypes.</param>
/// <param name="Modules">By module, in ordinal order: its place in the request, and its tokens.</param>
internal sealed record RouteBody(bool IsLogits, ImmutableSortedDictionary<string, (string Place, Matrix Tokens)> Modules)
{
    /// <summary>Bytes of a body: 4,096 tokens of 4,096 numbers in half precision.</summary>
    public const int MaxBytes = 32 << 20;

    /// <summary>Reads JSON or safetensors, by the content type.</summary>
    /// <exception cref="BadHttpRequestException">The body is not the JSON asked for, or too large.</exception>
    public static async Task<(RouteBody? Body, ProblemHttpResult? Problem)> ReadAsync(HttpRequest request, bool logits, CancellationToken cancellationToken)
    {
        if (request.HasJsonContentType())
            return OfJson(await ReadJsonAsync(request, cancellationToken));
        if (request.ContentType?.Split(';')[0].Trim() is not ("application/octet-stream" or "application/x-safetensors"))
            return (null, Problems.ForStatus(415));
        using var stream = new MemoryStream();
        await request.Body.CopyToAsync(stream, cancellationToken);
        return OfSafetensors(stream.ToArray(), logits);
    }

    private static async Task<RouteRequest> ReadJsonAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await JsonSerializer.DeserializeAsync<RouteRequest>(request.Body, ApiJson.Options, cancellationToken)
                ?? throw new JsonException("The body is null.");
        }
        catch (JsonException e)
        {
            throw new BadHttpRequestException("The body is not the JSON asked for.", e);
        }
    }

    private static (RouteBody?, ProblemHttpResult?) OfJson(RouteRequest request)
    {
        if ((request.Inputs is null) == (request.Logits is null))
            return (null, Problems.InvalidRequest("inputs", "Send either inputs or logits."));
        var (member, given) = request.Inputs is null ? ("logits", request.Logits!) : ("inputs", request.Inputs);
        var modules = ImmutableSortedDictionary.CreateBuilder<string, (string, Matrix)>(StringComparer.Ordinal);
        foreach (var (module, tokens) in given)
        {
            // Nullability is checked for members of objects, not for what dictionaries and lists hold.
            if (tokens is null || tokens.Any(token => token is null))
                return (null, Issue("width-mismatch", $"{member}.{module}", "Tokens are a list of lists of numbers, none of them null."));
            var width = tokens.Count == 0 ? 0 : tokens[0].Count;
            var matrix = new Matrix(tokens.Count, width);
            for (var t = 0; t < tokens.Count; t++)
            {
                if (tokens[t].Count != width)
                    return (null, Issue("width-mismatch", $"{member}.{module}[{t}]", $"The token has {tokens[t].Count} numbers, the one before it {width}."));
                for (var i = 0; i < width; i++)
                    matrix[t, i] = tokens[t][i];
            }

            modules.Add(module, ($"{member}.{module}", matrix));
        }

        return (new(request.Inputs is null, modules.ToImmutable()), null);
    }

    private static (RouteBody?, ProblemHttpResult?) OfSafetensors(byte[] bytes, bool logits)
    {
        if (!SafetensorsFile.TryRead(bytes, out var file, out var problems))
            return (null, Problems.InvalidRequest([.. problems.Select(p => new IssueView("not-safetensors", "error", "body", p.Message))]));
        using (file)
        {
            var modules = ImmutableSortedDictionary.CreateBuilder<string, (string, Matrix)>(StringComparer.Ordinal);
            foreach (var tensor in file.Tensors)
            {
                if (tensor.Type is not (TensorType.F64 or TensorType.F32 or TensorType.F16 or TensorType.BF16))
                    return (null, Issue("type-unknown", tensor.Name, $"'{tensor.Name}' has type {tensor.Type}; F64, F32, F16 and BF16 are read."));
                if (tensor.Shape.IsEmpty || tensor.Shape[^1] is 0 or > int.MaxValue)
                    return (null, Issue("width-mismatch", tensor.Name, $"'{tensor.Name}' has no tokens: its last dimension is their size."));
                // All dimensions but the last count tokens: batches are fine.
                var width = (int)tensor.Shape[^1];
                modules.Add(tensor.Name, (tensor.Name, new Matrix((int)(tensor.ElementCount / width), width, file.ReadDouble(tensor))));
            }

            return (new(logits, modules.ToImmutable()), null);
        }
    }

    /// <summary>One finding about what was sent.</summary>
    public static ProblemHttpResult Issue(string code, string place, string message) => Problems.InvalidRequest(new IssueView(code, "error", place, message));
}
