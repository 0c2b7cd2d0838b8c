using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Marketplace.Functions.Hosting;

/// <summary>What the OpenAPI document says beyond the routes.</summary>
internal static class OpenApiDocument
{
    private const string Scheme = "ApiKey";

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "Adapter marketplace", Version = "v1", Description = "A registry and workshop for LoRA adapters." };
            // The address the client used is the right one; the host's own may be behind a proxy.
            document.Servers = [];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes[Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An API key, hf_…, or an access token of the tenant" };
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            var function = context.Description.ActionDescriptor.EndpointMetadata.OfType<HttpFunction>().FirstOrDefault();
            operation.OperationId = function?.Name;
            if (function?.Access is { } access)
            {
                operation.Description = $"Needs a key of scope '{access.ToString().ToLowerInvariant()}' or wider.";
                operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] }];
            }

            return Task.CompletedTask;
        });
    }
}
