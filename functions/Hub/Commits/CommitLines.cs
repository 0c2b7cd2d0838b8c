using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.Functions.Hub.Commits;

/// <summary>A line of a commit without its long content, or why there is none.</summary>
/// <param name="Json">The line, with the content replaced by the number of its file; empty at the end.</param>
/// <param name="Problem">A refusal.</param>
internal readonly record struct CommitLine(ReadOnlyMemory<byte> Json, ProblemHttpResult? Problem = null);

/// <summary>
/// Takes a commit's body apart as it arrives. A line may be a single JSON string of hundreds of megabytes, which no JSON reader takes without having all of it in memory: so the value of every member named <c>content</c> goes
/// straight into a local file, and what is left of the line is small.
/// </summary>
internal sealed class CommitLines(Stream body, string folder, long maxInline) : IDisposable
{
    private const int MaxLine = 1 << 20;

    private readonly byte[] buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
    private readonly ArrayBufferWriter<byte> line = new();
    private readonly List<PutInline> inline = [];
    private int start;
    private int end;

    /// <summary>The contents so far, under the numbers that stand for them; their paths are not known yet.</summary>
    public IReadOnlyList<PutInline> Inline => inline;

    /// <summary>The next line that is not empty.</summary>
    public async Task<CommitLine> ReadAsync(CancellationToken cancellationToken)
    {
        line.ResetWrittenCount();
        var (inString, escaped, afterColon, opened, key) = (false, false, false, 0, false);
        while (start < end || await FillAsync(cancellationToken))
        {
            var next = buffer[start++];
            if (next == (byte)'\n' && !inString)
            {
                if (line.WrittenCount > 0)
                    return new(line.WrittenMemory);
                continue;
            }

            if (line.WrittenCount == MaxLine)
                return new(default, HubProblems.BadRequest($"A line of the commit has more than {MaxLine} bytes beside its content."));
            // White space between tokens says nothing.
            if (!inString && next is (byte)' ' or (byte)'\r' or (byte)'\t')
                continue;
            line.GetSpan(1)[0] = next;
            line.Advance(1);
            if (inString)
            {
                (escaped, inString) = (!escaped && next == (byte)'\\', escaped || next != (byte)'"');
                if (!inString)
                    key = line.WrittenSpan[opened..].SequenceEqual("\"content\""u8);
            }
            else if (next == (byte)'"')
            {
                if (afterColon && key)
                {
                    if (await TakeAsync(cancellationToken) is { } problem)
                        return new(default, problem);
                    key = false;
                }
                else
                {
                    (inString, opened) = (true, line.WrittenCount - 1);
                }

                afterColon = false;
            }
            else
            {
                afterColon = next == (byte)':';
            }
        }

        return new(line.WrittenMemory);
    }

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(buffer);

    // After the opening quote, up to the closing one.
    private async Task<ProblemHttpResult?> TakeAsync(CancellationToken cancellationToken)
    {
        await using var content = new InlineContent(Path.Combine(folder, $"inline-{inline.Count}"));
        while (start < end || await FillAsync(cancellationToken))
        {
            var run = buffer.AsSpan(start, end - start).IndexOfAny((byte)'"', (byte)'\\') is >= 0 and var at ? at : end - start;
            if (!await content.AppendAsync(buffer.AsMemory(start, run), cancellationToken))
                return NotBase64();
            if (content.Size > maxInline)
                return HubProblems.TooLarge($"A file inside a commit may have {maxInline} bytes; larger ones are sent as objects of Git LFS.");
            start += run;
            if (start == end)
                continue;
            if (buffer[start++] == (byte)'"')
            {
                if (await content.FinishAsync(cancellationToken) is not var (digest, git))
                    return NotBase64();
                Mark($"{inline.Count}\"");
                inline.Add(new PutInline("", content.Local, content.Size, digest, git));
                return null;
            }

            if (await UnescapeAsync(cancellationToken) is not { } character || !await content.AppendAsync(new[] { character }, cancellationToken))
                return NotBase64();
        }

        return HubProblems.BadRequest("The commit ends in the middle of a file.");
    }

    // The alphabet needs no escapes; some writers escape its slash or its plus all the same.
    private async ValueTask<byte?> UnescapeAsync(CancellationToken cancellationToken)
    {
        var escape = new byte[5];
        for (var i = 0; i < escape.Length; i++)
        {
            if (start == end && !await FillAsync(cancellationToken))
                return null;
            escape[i] = buffer[start++];
            if (escape[0] != (byte)'u')
                return escape[0] == (byte)'/' ? escape[0] : null;
        }

        return ushort.TryParse(escape.AsSpan(1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) && code < 128 ? (byte)code : null;
    }

    private static ProblemHttpResult NotBase64() => HubProblems.BadRequest("The content of a file is not base64.");

    private void Mark(string text)
    {
        var written = System.Text.Encoding.ASCII.GetBytes(text, line.GetSpan(text.Length));
        line.Advance(written);
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        (start, end) = (0, await body.ReadAsync(buffer, cancellationToken));
        return end > 0;
    }
}
