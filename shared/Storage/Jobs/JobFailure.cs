namespace Marketplace.Storage.Jobs;

/// <summary>A job that can't succeed however often it is tried; everything else that is thrown means "try again".</summary>
public sealed class JobFailureException(string code, string message) : Exception(message)
{
    /// <summary>Stable code; docs/api.md lists them.</summary>
    public string Code { get; } = code;
}
