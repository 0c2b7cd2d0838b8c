using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Marketplace.Functions.Http;

/// <summary>Lets larger bodies through where the function table says so.</summary>
public sealed class BodyLimits(RequestDelegate next, IOptions<MarketplaceOptions> options)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<HttpFunction>()?.MaxBody is { } limit
            && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
            feature.MaxRequestBodySize = limit(options.Value);
        return next(context);
    }
}
