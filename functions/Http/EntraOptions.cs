using System.ComponentModel.DataAnnotations;

namespace Marketplace.Functions.Http;

/// <summary>Whose tokens are taken beside API keys, from the section <c>Marketplace:Entra</c>. Without a tenant: nobody's.</summary>
public sealed class EntraOptions : IValidatableObject
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Marketplace:Entra";

    /// <summary>The tenant, by its id (a GUID): names such as <c>common</c> would let other organisations in.</summary>
    public string? TenantId { get; init; }

    /// <summary>The cloud's sign-in service.</summary>
    public Uri Instance { get; init; } = new("https://login.microsoftonline.com/");

    /// <summary>The issuer, where it is not the tenant's at <see cref="Instance"/>.</summary>
    public Uri? Authority { get; init; }

    /// <summary>For whom tokens must be: the application (client) id of the API's registration; several are separated by spaces.</summary>
    public string? Audience { get; init; }

    /// <summary>How often, at most, the issuer is asked again because of a key that is not known, or because it did not answer.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether tokens are taken.</summary>
    internal bool Enabled => TenantId is { Length: > 0 };

    /// <summary>The issuer of version 2.0 tokens.</summary>
    internal Uri Issuer => Authority ?? new Uri(Instance, $"{TenantId}/v2.0");

    /// <summary>The audiences as a list.</summary>
    internal string[] Audiences => Audience?.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enabled)
        {
            if (Authority is not null || Audiences.Length > 0)
                yield return new ValidationResult("Marketplace:Entra needs TenantId.");
            yield break;
        }

        if (!Guid.TryParseExact(TenantId, "D", out _))
            yield return new ValidationResult("Marketplace:Entra:TenantId is the tenant's id, a GUID.");
        if (Audiences.Length == 0)
            yield return new ValidationResult("Marketplace:Entra needs Audience: tokens for anybody are for nobody.");
        if (!Issuer.IsAbsoluteUri || (Issuer.Scheme != Uri.UriSchemeHttps && !Issuer.IsLoopback))
            yield return new ValidationResult("The issuer of Marketplace:Entra is reached by https.");
    }
}
