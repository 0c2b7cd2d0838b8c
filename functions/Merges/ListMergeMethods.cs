using Marketplace.Core.Api;
using Marketplace.Core.Merges;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Merges;

/// <summary>What recipes can choose from.</summary>
public static class ListMergeMethods
{
    private static readonly ListResponse<MergeMethodView> Methods = new([.. MergeMethods.All.Select(MergeMethodView.Of)]);

    public static Ok<ListResponse<MergeMethodView>> Handle() => TypedResults.Ok(Methods);
}
