using Marketplace.Core;

namespace Marketplace.Functions.Hub;

/// <summary>Where the bytes of a revision's file are, if they are not content under their digest.</summary>
internal abstract record HubPlace
{
    private HubPlace()
    {
    }

    /// <summary>Among the data derived from some weights.</summary>
    public sealed record Derived(Digest Weights, string Analysis, string Name) : HubPlace;

    /// <summary>Nowhere but here: written for the caller.</summary>
    public sealed record Written(ReadOnlyMemory<byte> Bytes) : HubPlace;
}
