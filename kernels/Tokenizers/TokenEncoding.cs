using System.Collections.Immutable;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>The tokens of a text.</summary>
/// <param name="Ids">Their ids.</param>
/// <param name="Tokens">How the vocabulary spells them; of unknown ones some models give the characters.</param>
/// <param name="Offsets">
/// What they stand for in the text, from a code point to the one after the last. Tokens that are bytes of one character all have its range; tokens that were added have an empty one.
/// </param>
public sealed record TokenEncoding(ImmutableArray<int> Ids, ImmutableArray<string> Tokens, ImmutableArray<(int Start, int End)> Offsets);
