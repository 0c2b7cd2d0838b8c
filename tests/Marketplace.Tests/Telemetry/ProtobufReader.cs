using System.Buffers.Binary;
using System.Text;

namespace Marketplace.Tests.Telemetry;

/// <summary>Fields of a protobuf message, as they stand on the wire: enough to read what the OTLP exporter sends.</summary>
internal sealed class ProtobufReader
{
    private readonly List<(int Field, ulong Number, ReadOnlyMemory<byte> Bytes)> fields = [];

    public ProtobufReader(ReadOnlyMemory<byte> message)
    {
        for (var rest = message; !rest.IsEmpty;)
        {
            var tag = Varint(ref rest);
            var (number, bytes) = ((ulong)0, ReadOnlyMemory<byte>.Empty);
            switch (tag & 7)
            {
                case 0:
                    number = Varint(ref rest);
                    break;
                case 1:
                    number = BinaryPrimitives.ReadUInt64LittleEndian(Take(ref rest, 8).Span);
                    break;
                case 2:
                    bytes = Take(ref rest, (int)Varint(ref rest));
                    break;
                case 5:
                    number = BinaryPrimitives.ReadUInt32LittleEndian(Take(ref rest, 4).Span);
                    break;
                default:
                    throw new InvalidDataException($"Wire type {tag & 7}.");
            }

            fields.Add(((int)(tag >> 3), number, bytes));
        }
    }

    /// <summary>The messages in a repeated field.</summary>
    public IEnumerable<ProtobufReader> Messages(int field) => fields.Where(f => f.Field == field).Select(f => new ProtobufReader(f.Bytes));

    public bool Has(int field) => fields.Any(f => f.Field == field);

    public string Text(int field) => Encoding.UTF8.GetString(Bytes(field).Span);

    public string Hex(int field) => Convert.ToHexStringLower(Bytes(field).Span);

    public ulong Number(int field) => fields.LastOrDefault(f => f.Field == field).Number;

    /// <summary>OTLP's <c>repeated KeyValue</c>.</summary>
    public Dictionary<string, string> Attributes(int field) => Messages(field).ToDictionary(m => m.Text(1), m => m.Messages(2).Select(Value).FirstOrDefault() ?? "");

    /// <summary>OTLP's <c>AnyValue</c> as text.</summary>
    public static string Value(ProtobufReader any) =>
        any.Has(1) ? any.Text(1)
        : any.Has(2) ? any.Number(2) != 0 ? "true" : "false"
        : any.Has(3) ? ((long)any.Number(3)).ToString()
        : any.Has(4) ? BitConverter.UInt64BitsToDouble(any.Number(4)).ToString("R")
        : any.Has(5) ? string.Join(',', any.Messages(5).SelectMany(a => a.Messages(1)).Select(Value))
        : "";

    private ReadOnlyMemory<byte> Bytes(int field) => fields.LastOrDefault(f => f.Field == field).Bytes;

    private static ulong Varint(ref ReadOnlyMemory<byte> rest)
    {
        for (var (value, shift) = (0UL, 0); ; shift += 7)
        {
            var part = Take(ref rest, 1).Span[0];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                return value;
        }
    }

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> rest, int count)
    {
        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }
}
