using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Unicode;

namespace Marketplace.Core.Formats;

/// <summary>
/// Reads the JSON of a safetensors header piece by piece. A state machine over tokens rather than a document: memory is bounded by the
/// limits, nesting never exceeds three levels, and duplicate names are seen. Findings about a value are collected; findings about
/// the structure end the parse.
/// </summary>
internal sealed class SafetensorsHeaderParser(SafetensorsLimits limits, long dataLength)
{
    private const int MaxProblems = 100;

    private readonly List<SafetensorsProblem> problems = [];
    private readonly List<TensorInfo> tensors = [];
    private readonly Dictionary<string, string> metadata = new(StringComparer.Ordinal);
    private readonly HashSet<string> names = new(StringComparer.Ordinal);
    private readonly ImmutableArray<long>.Builder shape = ImmutableArray.CreateBuilder<long>();
    private readonly List<long> offsets = [];

    private State state = State.Start;
    private bool started;
    private bool stopped;
    private bool offsetsBroken;
    private int metadataBytes;

    // The entry being read.
    private string name = "";
    private string key = "";
    private TensorType type;
    private Members seen;
    private bool broken;

    private enum State
    {
        Start, Name, Entry, Member, Type, Shape, Dimension, Offsets, Offset, Metadata, MetadataKey, MetadataValue, End,
    }

    [Flags]
    private enum Members
    {
        None = 0, Type = 1, Shape = 2, Offsets = 4, All = 7,
    }

    /// <summary>Reads what tokens it can; false once nothing more is to be learnt.</summary>
    public bool Feed(ReadOnlySpan<byte> json, bool final, ref JsonReaderState readerState, out int consumed)
    {
        consumed = 0;
        if (!started && (json.IsEmpty || json[0] != (byte)'{'))
            return Stop(SafetensorsError.InvalidStart, null, "The header does not begin with '{'.");
        started = true;
        if (readerState.Options.MaxDepth == 0)
            readerState = new JsonReaderState(new JsonReaderOptions { MaxDepth = 8 });
        var reader = new Utf8JsonReader(json, final, readerState);
        try
        {
            while (!stopped && reader.Read())
                Accept(ref reader);
        }
        catch (JsonException e)
        {
            Stop(SafetensorsError.InvalidJson, null, $"The header is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.");
        }

        consumed = (int)reader.BytesConsumed;
        readerState = reader.CurrentState;
        return !stopped;
    }

    /// <summary>Refuses a token that stays unfinished beyond every limit; false once refused.</summary>
    public bool CheckPending(int bytes)
    {
        // An escape takes up to six bytes for one of the text.
        if (state is State.MetadataKey or State.MetadataValue && bytes > (6L * limits.MetadataBytes) + 64)
            return Stop(SafetensorsError.MetadataTooLarge, null, $"Metadata exceeds {limits.MetadataBytes} bytes.");
        if (state is not (State.MetadataKey or State.MetadataValue) && bytes > (6L * limits.NameBytes) + (64 << 10))
            return Stop(SafetensorsError.NameTooLong, null, $"A name or a gap exceeds {limits.NameBytes} bytes.");
        return true;
    }

    /// <summary>Checks how the tensors lie and gives the result.</summary>
    public SafetensorsParse Finish(long jsonLength, long fileLength)
    {
        if (!stopped)
            SafetensorsLayout.Check(tensors, dataLength, offsetsBroken, problems);
        return problems.Count > 0
            ? new SafetensorsParse(null, [.. problems.Take(MaxProblems)])
            : new SafetensorsParse(
                new SafetensorsHeader(jsonLength, fileLength, tensors, metadata.ToImmutableSortedDictionary(StringComparer.Ordinal)), []);
    }

    private void Accept(ref Utf8JsonReader reader)
    {
        var token = reader.TokenType;
        switch (state)
        {
            case State.Start:
                state = State.Name;
                break;
            case State.Name when token == JsonTokenType.EndObject:
                state = State.End;
                break;
            case State.Name:
                BeginEntry(ref reader);
                break;
            case State.Metadata when token == JsonTokenType.StartObject:
                state = State.MetadataKey;
                break;
            case State.MetadataKey when token == JsonTokenType.EndObject:
                state = State.Name;
                break;
            case State.MetadataKey:
                BeginMetadata(ref reader);
                break;
            case State.MetadataValue when token == JsonTokenType.String:
                AddMetadata(ref reader);
                break;
            case State.Metadata or State.MetadataValue:
                Stop(SafetensorsError.InvalidMetadata, null, "__metadata__ is not an object of strings.");
                break;
            case State.Entry when token == JsonTokenType.StartObject:
                state = State.Member;
                break;
            case State.Member when token == JsonTokenType.EndObject:
                EndEntry();
                break;
            case State.Member:
                BeginMember(ref reader);
                break;
            case State.Type when token == JsonTokenType.String:
                ReadType(ref reader);
                break;
            case State.Shape when token == JsonTokenType.StartArray:
                state = State.Dimension;
                break;
            case State.Dimension when token is JsonTokenType.EndArray:
                state = State.Member;
                break;
            case State.Dimension when token is not (JsonTokenType.StartArray or JsonTokenType.StartObject):
                ReadDimension(ref reader);
                break;
            case State.Offsets when token == JsonTokenType.StartArray:
                state = State.Offset;
                break;
            case State.Offset when token == JsonTokenType.EndArray:
                state = State.Member;
                break;
            case State.Offset when token is not (JsonTokenType.StartArray or JsonTokenType.StartObject):
                ReadOffset(ref reader);
                break;
            default:
                Stop(SafetensorsError.InvalidEntry, name, $"The entry of '{name}' holds a {token} where none belongs.");
                break;
        }
    }

    private void BeginEntry(ref Utf8JsonReader reader)
    {
        if (!TryText(ref reader, limits.NameBytes, SafetensorsError.NameTooLong, out name))
            return;
        if (!names.Add(name))
        {
            Stop(SafetensorsError.DuplicateKey, name, $"'{name}' occurs twice in the header.");
            return;
        }

        state = name == "__metadata__" ? State.Metadata : State.Entry;
        (seen, broken, type) = (Members.None, false, default);
        shape.Clear();
        offsets.Clear();
        if (tensors.Count >= limits.Tensors)
            Stop(SafetensorsError.TooManyTensors, null, $"The file has more than {limits.Tensors} tensors.");
    }

    private void BeginMember(ref Utf8JsonReader reader)
    {
        var (member, next) =
            reader.ValueTextEquals("dtype"u8) ? (Members.Type, State.Type)
            : reader.ValueTextEquals("shape"u8) ? (Members.Shape, State.Shape)
            : reader.ValueTextEquals("data_offsets"u8) ? (Members.Offsets, State.Offsets)
            : (Members.None, State.Member);
        if (member == Members.None)
            Stop(SafetensorsError.InvalidEntry, name, $"The entry of '{name}' has a member other than dtype, shape and data_offsets.");
        else if (seen.HasFlag(member))
            Stop(SafetensorsError.DuplicateKey, name, $"The entry of '{name}' repeats a member.");
        (seen, state) = (seen | member, next);
    }

    private void ReadType(ref Utf8JsonReader reader)
    {
        state = State.Member;
        if (!TryText(ref reader, limits.NameBytes, SafetensorsError.NameTooLong, out var text))
            return;
        if (!TensorTypes.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out type))
            Report(SafetensorsError.UnknownType, $"'{name}' has the unknown type '{text}'.");
    }

    private void ReadDimension(ref Utf8JsonReader reader)
    {
        if (shape.Count == limits.Dimensions)
            Stop(SafetensorsError.TooManyDimensions, name, $"'{name}' has more than {limits.Dimensions} dimensions.");
        else if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var dimension) && dimension >= 0)
            shape.Add(dimension);
        else
            Report(SafetensorsError.InvalidShape, $"'{name}' has a dimension that is not an integer from 0 to 2^63 - 1.");
    }

    private void ReadOffset(ref Utf8JsonReader reader)
    {
        if (offsets.Count < 3 && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var offset) && offset >= 0)
            offsets.Add(offset);
        else
            offsets.AddRange(offsets.Count < 3 ? [-1, -1, -1] : []); // more than two: refused at the end of the entry
    }

    private void EndEntry()
    {
        state = State.Name;
        if (seen != Members.All)
        {
            Report(SafetensorsError.InvalidEntry, $"The entry of '{name}' lacks dtype, shape or data_offsets.");
            offsetsBroken |= !seen.HasFlag(Members.Offsets);
            if (!seen.HasFlag(Members.Offsets))
                return;
        }

        if (offsets is not [var begin, var end] || begin > end)
        {
            offsetsBroken = true;
            Report(SafetensorsError.InvalidOffsets, $"'{name}' has offsets that are not two integers with 0 <= begin <= end.");
            return;
        }

        var info = new TensorInfo(name, type, shape.ToImmutable(), begin, end);
        if (!broken && SafetensorsLayout.CheckSize(info) is { } problem)
            problems.Add(problem);
        tensors.Add(info);
    }

    private void BeginMetadata(ref Utf8JsonReader reader)
    {
        if (!TryText(ref reader, limits.MetadataBytes - metadataBytes, SafetensorsError.MetadataTooLarge, out key))
            return;
        metadataBytes += reader.ValueSpan.Length;
        state = State.MetadataValue;
        if (metadata.ContainsKey(key))
            Stop(SafetensorsError.DuplicateKey, null, $"Metadata repeats the key '{key}'.");
    }

    private void AddMetadata(ref Utf8JsonReader reader)
    {
        if (!TryText(ref reader, limits.MetadataBytes - metadataBytes, SafetensorsError.MetadataTooLarge, out var value))
            return;
        metadataBytes += reader.ValueSpan.Length;
        metadata.Add(key, value);
        state = State.MetadataKey;
    }

    private bool TryText(ref Utf8JsonReader reader, int limit, SafetensorsError tooLong, out string text)
    {
        text = "";
        if (reader.ValueSpan.Length > limit)
            return Stop(tooLong, null, $"A string of {reader.ValueSpan.Length} bytes is over the limit.");
        if (!Utf8.IsValid(reader.ValueSpan))
            return Stop(SafetensorsError.InvalidUtf8, null, "The header is not UTF-8.");
        try
        {
            text = reader.GetString()!;
            return true;
        }
        catch (InvalidOperationException) // an escaped surrogate that stands alone
        {
            return Stop(SafetensorsError.InvalidUtf8, null, "The header escapes half a character.");
        }
    }

    private void Report(SafetensorsError error, string message)
    {
        broken = true;
        problems.Add(new SafetensorsProblem(error, name, message));
        stopped = problems.Count >= MaxProblems;
    }

    private bool Stop(SafetensorsError error, string? tensor, string message)
    {
        problems.Add(new SafetensorsProblem(error, tensor, message));
        stopped = true;
        return false;
    }
}
