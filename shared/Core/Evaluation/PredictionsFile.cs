using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Marketplace.Core.Api;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Evaluation;

/// <summary>
/// Predictions as a safetensors file: numbers keep all their bits, and whoever has Python reads them with one call. Metadata <c>format</c>
/// (<c>evaluation-predictions</c>), <c>version</c> (1), <c>kind</c> and <c>first</c>; tensors by item i, or by choice j of all items one after the other:
/// <list type="bullet">
/// <item>multiple choice: <c>choices</c> [i] I32, <c>log_likelihood</c> [j] F64, <c>tokens</c> [j] I32, <c>bytes</c> [j] I32;</item>
/// <item>continuation: <c>log_likelihood</c>, <c>tokens</c>, <c>bytes</c>, <c>greedy</c> [i] BOOL; perplexity: the same without <c>greedy</c>;</item>
/// <item>generation: <c>match</c> [i] BOOL, <c>length</c> [i] I32 and <c>text</c> [sum of lengths] U8, the texts in UTF-8 one after the other.</item>
/// </list>
/// Equal predictions give equal bytes.
/// </summary>
public static class PredictionsFile
{
    private const string Format = "evaluation-predictions";

    /// <summary>The file's bytes.</summary>
    public static byte[] Write(Predictions predictions)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, Tensors(predictions), new Dictionary<string, string>
        {
            ["format"] = Format,
            ["version"] = "1",
            ["kind"] = ApiJson.Name(predictions.Kind),
            ["first"] = predictions.First.ToString(CultureInfo.InvariantCulture),
        });
        return stream.ToArray();
    }

    /// <summary>Reads predictions; false if the bytes are not such a file.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out Predictions? predictions)
    {
        predictions = null;
        if (!SafetensorsFile.TryRead(bytes, out var file, out _))
            return false;
        using (file)
        {
            var metadata = file.Header.Metadata;
            if (metadata.GetValueOrDefault("format") != Format || metadata.GetValueOrDefault("version") != "1"
                || !int.TryParse(metadata.GetValueOrDefault("first"), NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                || Enum.GetValues<EvaluationKind>().Where(k => ApiJson.Name(k) == metadata.GetValueOrDefault("kind")).ToList() is not [var kind])
            {
                return false;
            }

            var items = new Columns(file).Read(kind);
            predictions = items is null ? null : new(kind, first, items.Value);
            return predictions is not null;
        }
    }

    /// <summary>Reads predictions, known to be such.</summary>
    /// <exception cref="InvalidDataException">They are not.</exception>
    public static Predictions Read(ReadOnlyMemory<byte> bytes) => TryRead(bytes, out var predictions) ? predictions : throw new InvalidDataException("These are no predictions.");

    private static IEnumerable<TensorSource> Tensors(Predictions predictions)
    {
        switch (predictions.Kind)
        {
            case EvaluationKind.MultipleChoice:
                var choices = predictions.Items.Cast<ChoicePrediction>().ToList();
                return [
                    Integers("choices", choices.Select(c => c.LogLikelihoods.Length)), Numbers(choices.SelectMany(c => c.LogLikelihoods)),
                    Integers("tokens", choices.SelectMany(c => c.Tokens)), Integers("bytes", choices.SelectMany(c => c.Bytes))];
            case EvaluationKind.Continuation:
                var continuations = predictions.Items.Cast<ContinuationPrediction>().ToList();
                return [
                    Numbers(continuations.Select(c => c.LogLikelihood)), Integers("tokens", continuations.Select(c => c.Tokens)),
                    Integers("bytes", continuations.Select(c => c.Bytes)), Flags("greedy", continuations.Select(c => c.Greedy))];
            case EvaluationKind.Perplexity:
                var texts = predictions.Items.Cast<PerplexityPrediction>().ToList();
                return [Numbers(texts.Select(t => t.LogLikelihood)), Integers("tokens", texts.Select(t => t.Tokens)), Integers("bytes", texts.Select(t => t.Bytes))];
            default:
                var written = predictions.Items.Cast<GenerationPrediction>().Select(g => (g.Match, Text: Encoding.UTF8.GetBytes(g.Text))).ToList();
                return [
                    Flags("match", written.Select(w => w.Match)), Integers("length", written.Select(w => w.Text.Length)),
                    Bytes("text", TensorType.U8, [.. written.SelectMany(w => w.Text)])];
        }
    }

    private static TensorSource Numbers(IEnumerable<double> values) => TensorSource.FromDoubles("log_likelihood", TensorType.F64, [values.Count()], () => [.. values]);

    private static TensorSource Flags(string name, IEnumerable<bool> values) => Bytes(name, TensorType.BOOL, [.. values.Select(v => v ? (byte)1 : (byte)0)]);

    private static TensorSource Bytes(string name, TensorType type, byte[] bytes) => new(name, type, [bytes.Length], () => bytes);

    private static TensorSource Integers(string name, IEnumerable<int> values)
    {
        var numbers = values.ToArray();
        return new(name, TensorType.I32, [numbers.Length], () =>
        {
            var bytes = new byte[4 * numbers.Length];
            for (var i = 0; i < numbers.Length; i++)
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4 * i), numbers[i]);
            return bytes;
        });
    }

    /// <summary>The tensors of a file as columns; null wherever a tensor is missing, of another type or of another length.</summary>
    private sealed class Columns(SafetensorsFile file)
    {
        public ImmutableArray<ItemPrediction>? Read(EvaluationKind kind) => kind switch
        {
            EvaluationKind.MultipleChoice => Choices(),
            EvaluationKind.Generation => Generations(),
            _ => Texts(kind == EvaluationKind.Continuation),
        };

        private ImmutableArray<ItemPrediction>? Choices()
        {
            var counts = Integers("choices");
            if (counts is null || counts.Any(c => c < 0) || counts.Sum(c => (long)c) is var sum && sum > int.MaxValue)
                return null;
            var (total, at) = ((int)counts.Sum(c => (long)c), 0);
            var (numbers, tokens, bytes) = (Numbers(total), Integers("tokens", total), Integers("bytes", total));
            if (numbers is null || tokens is null || bytes is null)
                return null;
            var items = ImmutableArray.CreateBuilder<ItemPrediction>(counts.Length);
            foreach (var count in counts)
            {
                items.Add(new ChoicePrediction([.. numbers.AsSpan(at, count)], [.. tokens.AsSpan(at, count)], [.. bytes.AsSpan(at, count)]));
                at += count;
            }

            return items.ToImmutable();
        }

        private ImmutableArray<ItemPrediction>? Texts(bool continuations)
        {
            var tokens = Integers("tokens");
            if (tokens is null || Numbers(tokens.Length) is not { } numbers || Integers("bytes", tokens.Length) is not { } bytes)
                return null;
            if (!continuations)
                return [.. tokens.Select((t, i) => new PerplexityPrediction(numbers[i], t, bytes[i]))];
            return Flags("greedy", tokens.Length) is { } greedy ? [.. tokens.Select((t, i) => new ContinuationPrediction(numbers[i], t, bytes[i], greedy[i]))] : null;
        }

        private ImmutableArray<ItemPrediction>? Generations()
        {
            var lengths = Integers("length");
            if (lengths is null || lengths.Any(l => l < 0) || Find("text", TensorType.U8) is not { } text || lengths.Sum(l => (long)l) != text.ElementCount
                || Flags("match", lengths.Length) is not { } match)
            {
                return null;
            }

            var (items, at) = (ImmutableArray.CreateBuilder<ItemPrediction>(lengths.Length), 0);
            var bytes = file.Bytes(text);
            for (var i = 0; i < lengths.Length; at += lengths[i], i++)
                items.Add(new GenerationPrediction(Encoding.UTF8.GetString(bytes.Slice(at, lengths[i])), match[i]));
            return items.ToImmutable();
        }

        private TensorInfo? Find(string name, TensorType type, int? length = null) =>
            file.Find(name) is { } tensor && tensor.Type == type && tensor.Shape.Length == 1 && (length ?? tensor.ElementCount) == tensor.ElementCount ? tensor : null;

        private double[]? Numbers(int length) => Find("log_likelihood", TensorType.F64, length) is { } tensor ? file.ReadDouble(tensor) : null;

        private int[]? Integers(string name, int? length = null) => Find(name, TensorType.I32, length) is { } tensor ? MemoryMarshal.Cast<byte, int>(file.Bytes(tensor)).ToArray() : null;

        private bool[]? Flags(string name, int length) =>
            Find(name, TensorType.BOOL, length) is { } tensor ? Array.ConvertAll(file.Bytes(tensor).ToArray(), b => b != 0) : null;
    }
}
