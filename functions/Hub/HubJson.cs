using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Marketplace.Functions.Hub;

/// <summary>JSON as the Hub's clients want it: absent members left out, since some take null for a value; dates in UTC with three digits of a second, since some refuse others.</summary>
internal static class HubJson
{
    /// <summary>How answers are written and bodies read; unknown members are ignored, for clients send more every year.</summary>
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new DateConverter() },
    };

    /// <summary>An answer.</summary>
    public static IResult Answer<T>(T value, int status = StatusCodes.Status200OK) => TypedResults.Json(value, Options, "application/json", status);

    private sealed class DateConverter : JsonConverter<DateTimeOffset>
    {
        public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

        public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
    }
}
