using System.Text;
using Azure.Data.Tables;

namespace Marketplace.Storage;

/// <summary>The table service's limits on one entity, checked before it is sent because the emulator lets larger ones through.</summary>
internal static class EntityLimits
{
    public const int MaxProperties = 252;
    public const int MaxPropertyBytes = 64 * 1024;
    public const int MaxEntityBytes = 1024 * 1024;
    public const int MaxKeyChars = 512;

    private static readonly HashSet<string> System = ["PartitionKey", "RowKey", "Timestamp", "odata.etag"];

    /// <exception cref="StorageLimitException">The service would refuse the entity.</exception>
    public static void Check(TableEntity entity)
    {
        CheckKey(entity.PartitionKey);
        CheckKey(entity.RowKey);
        var (count, total) = (0, 4 + (2 * (entity.PartitionKey.Length + entity.RowKey.Length)));
        foreach (var (name, value) in entity)
        {
            if (System.Contains(name) || value is null)
                continue;
            count++;
            var size = Size(value);
            if (size > MaxPropertyBytes)
                throw new StorageLimitException($"Property {name} has {size} bytes; {MaxPropertyBytes} are allowed.");
            total += 8 + (2 * name.Length) + size;
        }
        if (count > MaxProperties)
            throw new StorageLimitException($"The entity has {count} properties; {MaxProperties} are allowed.");
        if (total > MaxEntityBytes)
            throw new StorageLimitException($"The entity has {total} bytes; {MaxEntityBytes} are allowed.");
    }

    private static int Size(object value) => value switch
    {
        string text => Encoding.Unicode.GetByteCount(text),
        byte[] bytes => bytes.Length,
        _ => 16,
    };

    private static void CheckKey(string key)
    {
        if (key.Length > MaxKeyChars || key.Any(c => c is '/' or '\\' or '#' or '?' || char.IsControl(c)))
            throw new StorageLimitException("The key is too long or has a character that keys may not have.");
    }
}
