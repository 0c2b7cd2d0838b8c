namespace Marketplace.Core.Formats;

/// <summary>
/// Recognises Python pickles by their first bytes, whatever the file is called. They are never read: a pickle is a program, and reading one runs it.
/// </summary>
public static class PickleContent
{
    /// <summary>How to turn a checkpoint of PyTorch into safetensors, for messages.</summary>
    public const string Advice =
        "Convert it where you trust it: python -c \"import torch; from safetensors.torch import save_file; " +
        "save_file({k: v.contiguous() for k, v in torch.load('FILE', weights_only=True).items()}, 'FILE.safetensors', {'format': 'pt'})\".";

    /// <summary>Whether a file begins like a pickle of protocol 2 or later, or like the zip archive that PyTorch puts one into.</summary>
    public static bool IsPickle(ReadOnlySpan<byte> start) =>
        start is [0x80, >= 2 and <= 5, ..] || start.StartsWith("PK\u0003\u0004"u8);

    /// <summary>Whether the file at <paramref name="path"/> begins like one.</summary>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static bool IsPickle(string path)
    {
        using var stream = File.OpenRead(path);
        Span<byte> start = stackalloc byte[4];
        return IsPickle(start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
    }
}
