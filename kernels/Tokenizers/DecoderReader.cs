using System.Text;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>Reads <c>decoder</c> of tokenizer.json.</summary>
internal static class DecoderReader
{
    /// <summary>The decoder; null where the file has none, and where there are problems.</summary>
    public static Decoder? Read(JsonPlace place, int depth = 0)
    {
        if (place.IsNull)
            return null;
        switch (place.Member("type").Text())
        {
            case null:
                return null;
            case "Sequence":
                return new DecoderSequence(Parts.Read(place.Member("decoders"), depth, Read));
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "Metaspace":
                return PreTokenizerReader.Metaspace(place) is var (replacement, scheme) ? TokenwiseDecoder.Metaspace(replacement, scheme is not PrependScheme.Never) : null;
            case "Replace":
                return Parts.Pattern(place.Member("pattern")) is { } pattern && place.Member("content").Text() is { } content ? TokenwiseDecoder.Replace(pattern, content) : null;
            case "Strip":
                var character = Parts.Character(place.Member("content"));
                var start = place.Member("start").Integer(0, int.MaxValue);
                var stop = place.Member("stop").Integer(0, int.MaxValue);
                return character is not null && start is not null && stop is not null ? TokenwiseDecoder.Strip(Rune.GetRuneAt(character, 0), start.Value, stop.Value) : null;
            case "WordPiece":
                return place.Member("prefix").Text() is { } prefix ? TokenwiseDecoder.WordPiece(prefix, place.Member("cleanup").Flag()) : null;
            case "BPEDecoder":
                return place.Member("suffix").Text() is { Length: > 0 } suffix ? TokenwiseDecoder.WordEnds(suffix) : new TokenwiseDecoder((token, _, _) => token);
            case var other:
                place.Fail(TokenizerProblems.DecoderUnsupported, $"The decoder {other} is not implemented.");
                return null;
        }
    }
}
