using System.Collections.Immutable;

namespace Marketplace.Kernels.Tokenizers;

/// <summary>Reads <c>post_processor</c> of tokenizer.json; of templates the one for a single sequence.</summary>
internal static class PostProcessorReader
{
    /// <summary>What comes after the model; <see cref="PostProcessor.None"/> where the file says nothing, and where there are problems.</summary>
    public static PostProcessor Read(JsonPlace place) => Read(place, PostProcessor.None, 0) ?? PostProcessor.None;

    private static PostProcessor? Read(JsonPlace place, PostProcessor before, int depth)
    {
        if (place.IsNull)
            return before;
        switch (place.Member("type").Text())
        {
            case null:
                return null;
            case "Sequence":
                var made = before;
                Parts.Read(place.Member("processors"), depth, (p, d) => made = Read(p, made, d) ?? made);
                return made;
            case "ByteLevel":
                return place.Member("trim_offsets").Flag(true) ? Trimmed(before, place) : before;
            case "TemplateProcessing":
                return Around(place, before, Template(place));
            case "RobertaProcessing":
                var trimmed = place.Member("trim_offsets").Flag(true) ? Trimmed(before, place) : before;
                return Around(place, trimmed, Classified(place));
            case "BertProcessing":
                return Around(place, before, Classified(place));
            case var other:
                place.Fail(TokenizerProblems.PostProcessorUnsupported, $"The post-processor {other} is not implemented.");
                return null;
        }
    }

    private static PostProcessor Trimmed(PostProcessor before, JsonPlace place)
    {
        var addsSpace = place.Member("add_prefix_space").Flag(true);
        if (before.TrimsOffsets && before.AddsSpace != addsSpace)
            place.Fail(TokenizerProblems.PostProcessorUnsupported, "Two post-processors trim offsets in different ways.");
        return before with { TrimsOffsets = true, AddsSpace = addsSpace };
    }

    private static PostProcessor? Around(JsonPlace place, PostProcessor before, ImmutableArray<PostProcessor.Part>? template)
    {
        if (template is null)
            return null;
        // The second template would see the parts of the first as two sequences.
        if (before.Template.Length != 1)
            place.Fail(TokenizerProblems.PostProcessorUnsupported, "Two post-processors put tokens around the text.");
        return before with { Template = template.Value };
    }

    private static ImmutableArray<PostProcessor.Part>? Template(JsonPlace place)
    {
        var tokens = place.Member("special_tokens");
        List<PostProcessor.Part> parts = [];
        foreach (var piece in place.Member("single").Items())
        {
            var special = piece.Member("SpecialToken");
            if (!special.IsNull)
            {
                if (special.Member("id").Text() is { } id && !Special(tokens.Member(id), special, parts))
                    return null;
            }
            else if (piece.Member("Sequence").Member("id").Text() is "A")
                parts.Add(PostProcessor.Part.Sequence);
            else
                piece.Fail(TokenizerProblems.FieldInvalid, "A part of a template for one sequence is a SpecialToken or the Sequence A.");
            if (parts.Count > TokenizerLimits.Parts)
            {
                piece.Fail(TokenizerProblems.LimitExceeded, $"A template has at most {TokenizerLimits.Parts} parts.");
                return null;
            }
        }

        return [.. parts];
    }

    // One name may stand for several tokens.
    private static bool Special(JsonPlace token, JsonPlace use, List<PostProcessor.Part> parts)
    {
        if (token.IsNull)
        {
            use.Fail(TokenizerProblems.FieldMissing, "The template names a token that special_tokens does not describe.");
            return false;
        }

        var ids = token.Member("ids").Items().Select(i => i.Integer(0, int.MaxValue)).ToList();
        var names = token.Member("tokens").Items().Select(i => i.Text()).ToList();
        if (ids.Count != names.Count)
            token.Fail(TokenizerProblems.FieldInvalid, "ids and tokens should be equally many.");
        parts.AddRange(ids.Zip(names).Where(p => p is { First: not null, Second: not null }).Select(p => new PostProcessor.Part(p.First!.Value, p.Second!)));
        return true;
    }

    private static ImmutableArray<PostProcessor.Part>? Classified(JsonPlace place)
    {
        var (first, last) = (Pair(place.Member("cls")), Pair(place.Member("sep")));
        return first is { } f && last is { } l ? [f, PostProcessor.Part.Sequence, l] : null;
    }

    private static PostProcessor.Part? Pair(JsonPlace place)
    {
        var items = place.Items().Take(3).ToList();
        if (items.Count == 2 && items[0].Text() is { } token && items[1].Integer(0, int.MaxValue) is { } id)
            return new(id, token);
        if (items.Count != 2)
            place.Fail(TokenizerProblems.FieldInvalid, "Here should be a token and its id.");
        return null;
    }
}
