using System.Text;

namespace Marketplace.Tests.Support;

/// <summary>Safetensors files put together by hand, valid or not.</summary>
internal static class SafetensorsBytes
{
    /// <summary>A file with that JSON as its header and that many zero bytes of data.</summary>
    public static byte[] File(string json, int dataLength = 0) => File(Encoding.UTF8.GetBytes(json), new byte[dataLength]);

    /// <summary>A file with those bytes as its header and its data.</summary>
    public static byte[] File(byte[] json, byte[] data) => [.. BitConverter.GetBytes((long)json.Length), .. json, .. data];

    /// <summary>One entry of a header.</summary>
    public static string Entry(string name, string type, string shape, long begin, long end) =>
        $$"""
        "{{name}}":{"dtype":"{{type}}","shape":[{{shape}}],"data_offsets":[{{begin}},{{end}}]}
        """;
}
