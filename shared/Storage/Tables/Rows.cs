using System.Text.Json;
using System.Text.Json.Serialization;
using Azure.Data.Tables;
using Marketplace.Core;

namespace Marketplace.Storage;

/// <summary>Reading and writing entities: enums by name, structured values as JSON, long texts in pieces.</summary>
internal static class Rows
{
    // 64 KiB of UTF-16 is 32,768 characters.
    private const int PieceChars = 30_000;

    private static readonly JsonSerializerOptions Json = new()
    {
        Converters = { new DigestConverter(), new AdapterIdConverter() },
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static TableEntity New(Key key) => new(key.Partition, key.Row);

    public static Key Key(this TableEntity entity) => new(entity.PartitionKey, entity.RowKey);

    public static string Text(this TableEntity entity, string name) => entity.GetString(name) ?? "";

    public static bool Flag(this TableEntity entity, string name) => entity.GetBoolean(name) ?? false;

    public static int Number(this TableEntity entity, string name) => entity.GetInt32(name) ?? 0;

    public static DateTimeOffset Time(this TableEntity entity, string name) => entity.GetDateTimeOffset(name) ?? default;

    public static T Enum<T>(this TableEntity entity, string name) where T : struct, Enum => System.Enum.Parse<T>(entity.Text(name));

    public static AdapterId Adapter(this TableEntity entity, string name = "Adapter") => AdapterId.Parse(entity.Text(name));

    public static T? Value<T>(this TableEntity entity, string name) where T : class =>
        entity.GetLong(name) is { } text ? JsonSerializer.Deserialize<T>(text, Json) : null;

    public static void SetValue<T>(this TableEntity entity, string name, T? value) where T : class =>
        entity.SetLong(name, value is null ? null : JsonSerializer.Serialize(value, Json));

    /// <summary>Writes a text as <c>Name</c>, <c>Name1</c>, <c>Name2</c> …, none longer than a property may be.</summary>
    public static void SetLong(this TableEntity entity, string name, string? text)
    {
        if (text is null)
            return;
        var (start, i) = (0, 0);
        do
        {
            var length = Math.Min(PieceChars, text.Length - start);
            if (length == PieceChars && char.IsHighSurrogate(text[start + length - 1]))
                length--;
            entity[i == 0 ? name : name + i] = text.Substring(start, length);
            (start, i) = (start + length, i + 1);
        }
        while (start < text.Length);
    }

    public static string? GetLong(this TableEntity entity, string name)
    {
        var text = entity.GetString(name);
        for (var i = 1; text is not null && entity.GetString(name + i) is { } piece; i++)
            text += piece;
        return text;
    }

    private sealed class DigestConverter : JsonConverter<Digest>
    {
        public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => Digest.Parse(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) => writer.WriteStringValue(value.Hex);
    }

    private sealed class AdapterIdConverter : JsonConverter<AdapterId>
    {
        public override AdapterId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => AdapterId.Parse(reader.GetString()!);

        public override void Write(Utf8JsonWriter writer, AdapterId value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
