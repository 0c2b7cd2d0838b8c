using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Azure;
using Marketplace.Core.Api;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Http;

/// <summary>Turns whatever went wrong into problem details; only defects reach the log as errors.</summary>
public sealed class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            await Describe(exception, context).ExecuteAsync(context);
            return;
        }

        if (context.Response is { StatusCode: >= 400, HasStarted: false, ContentLength: null, ContentType: null })
            await Problems.ForStatus(context.Response.StatusCode).ExecuteAsync(context);
    }

    private ProblemHttpResult Describe(Exception exception, HttpContext context)
    {
        switch (exception)
        {
            case BadHttpRequestException { InnerException: JsonException json }:
                return Problems.InvalidJson(WhereInJson(json));
            case BadHttpRequestException { StatusCode: 400 } bad:
                return Problems.InvalidJson(bad.Message);
            case BadHttpRequestException bad:
                return Problems.ForStatus(bad.StatusCode);
            case RequestFailedException or AggregateException or SocketException or HttpRequestException when IsUnreachable(exception):
                logger.LogWarning("Storage does not answer: {Reason}", exception.GetBaseException().Message);
                return Problems.ForStatus(503);
            default:
                var traceId = Activity.Current?.Id ?? context.TraceIdentifier;
                logger.LogError(
                    exception, "{Method} {Route} failed; trace {TraceId}", context.Request.Method,
                    (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText, traceId);
                return Problems.InternalError(traceId);
        }
    }

    private static string WhereInJson(JsonException json) =>
        $"{JsonProblem.Describe(json)} At {json.Path ?? "$"}, line {(json.LineNumber ?? 0) + 1}.";

    private static bool IsUnreachable(Exception exception) => exception switch
    {
        RequestFailedException { Status: 0 or 429 or 500 or 503 } => true,
        AggregateException all => all.InnerExceptions.Any(IsUnreachable),
        SocketException or HttpRequestException => true,
        _ => exception.InnerException is { } inner && IsUnreachable(inner),
    };
}
