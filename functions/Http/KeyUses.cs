using System.Collections.Concurrent;
using Marketplace.Storage;

namespace Marketplace.Functions.Http;

/// <summary>Notes on which day a key was last used: after the answer, and by each instance at most once a day for each key.</summary>
public sealed class KeyUses(MarketplaceStorage storage, TimeProvider time, ILogger<KeyUses> logger)
{
    private ConcurrentDictionary<string, bool> noted = new();
    private DateOnly day;

    /// <summary>Notes a use when the answer has been sent.</summary>
    public void Note(ApiKeyRecord key, HttpContext context)
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        if (today != day)
            (day, noted) = (today, new());
        if (!noted.TryAdd($"{key.Owner}#{key.Id}", true))
            return;
        context.Response.OnCompleted(async () =>
        {
            try
            {
                await storage.Keys.NoteUseAsync(key, today);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                logger.LogWarning("That key {KeyId} was used can't be noted: {Reason}", key.Id, e.Message);
            }
        });
    }
}
