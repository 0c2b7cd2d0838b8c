using System.Net;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Client;

/// <summary>The service refused a request.</summary>
internal sealed class ApiException(HttpStatusCode status, ProblemView problem) : Exception(problem.Detail ?? problem.Title ?? problem.Code)
{
    /// <summary>The HTTP status.</summary>
    public HttpStatusCode Status { get; } = status;

    /// <summary>Code, words and places.</summary>
    public ProblemView Problem { get; } = problem;

    /// <summary>Whether asking again later may help.</summary>
    public bool IsTransient => Status is HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout;

    /// <summary>What the process returns for it.</summary>
    public int ExitCode => Status switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => Cli.ExitCode.NotAuthorised,
        HttpStatusCode.NotFound => Cli.ExitCode.NotFound,
        HttpStatusCode.ServiceUnavailable or HttpStatusCode.BadGateway or HttpStatusCode.GatewayTimeout => Cli.ExitCode.Unreachable,
        >= HttpStatusCode.InternalServerError => Cli.ExitCode.Failed,
        _ => Cli.ExitCode.Refused,
    };
}
