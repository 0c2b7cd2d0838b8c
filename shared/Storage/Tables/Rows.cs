using System.IO.Compression;
using System.Text;
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
    private const int PieceBytes = 60_000;
    private const int PlainChars = 100_000;
    private const string Compressed = "Z";

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

    /// <summary>
    /// Writes a text as <c>Name</c>, <c>Name1</c>, <c>Name2</c> …, none longer than a property may be. Very long ones, such as lists of thousands of adapters, are
    /// compressed into binary properties <c>NameZ</c>, <c>NameZ1</c> …: a row holds 1 MiB, and text takes two bytes for each character.
    /// </summary>
    public static void SetLong(this TableEntity entity, string name, string? text)
    {
        if (text is null)
            return;
        if (text.Length > PlainChars)
        {
            foreach (var (piece, number) in Compress(text).Chunk(PieceBytes).Select((piece, number) => (piece, number)))
                entity[number == 0 ? name + Compressed : $"{name}{Compressed}{number}"] = piece;
            return;
        }

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

    /// <summary>Bytes that a text takes in a row.</summary>
    public static int LongSize(string text) => text.Length > PlainChars ? Compress(text).Length : 2 * text.Length;

    public static string? GetLong(this TableEntity entity, string name)
    {
        var text = entity.GetString(name);
        if (text is null && entity.GetBinary(name + Compressed) is { } first)
        {
            using var bytes = new MemoryStream();
            bytes.Write(first);
            for (var i = 1; entity.GetBinary($"{name}{Compressed}{i}") is { } piece; i++)
                bytes.Write(piece);
            bytes.Position = 0;
            using var reader = new StreamReader(new GZipStream(bytes, CompressionMode.Decompress), Encoding.UTF8);
            return reader.ReadToEnd();
        }

        for (var i = 1; text is not null && entity.GetString(name + i) is { } piece; i++)
            text += piece;
        return text;
    }

    private static byte[] Compress(string text)
    {
        using var bytes = new MemoryStream();
        using (var zip = new GZipStream(bytes, CompressionLevel.Fastest))
            zip.Write(Encoding.UTF8.GetBytes(text));
        return bytes.ToArray();
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
