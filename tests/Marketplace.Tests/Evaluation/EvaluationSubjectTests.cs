using System.Text.Json;
using Marketplace.Core.Api;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Merges;
using Xunit;

namespace Marketplace.Tests.Evaluation;

public sealed class EvaluationSubjectTests
{
    private static readonly Func<SubjectAdapter, SubjectAdapter> Resolve = a => SubjectAdapter.Of(a.Id, 3, $"id-of-{a.Id.Name}");

    public static TheoryData<string, string> Spellings => new()
    {
        { """{"kind": "base"}""", """{"kind":"base"}""" },
        { """{"adapter": "a/x@main", "kind": "adapter"}""", """{"kind":"adapter","adapter":"a/x@3","versionId":"id-of-x"}""" },
        {
            """{"parts": [{"weight": 1.0, "adapter": "a/y"}, {"adapter": "a/x"}], "kind": "weighted"}""",
            """{"kind":"weighted","parts":[{"adapter":"a/x@3","weight":1,"versionId":"id-of-x"},{"adapter":"a/y@3","weight":1,"versionId":"id-of-y"}]}"""
        },
        {
            """{"kind": "arrow", "experts": [{"adapter": "a/y"}, {"adapter": "a/x"}], "mode": "exact"}""",
            """{"kind":"arrow","experts":[{"adapter":"a/y@3","versionId":"id-of-y"},{"adapter":"a/x@3","versionId":"id-of-x"}],"topK":2,"temperature":1,"combination":"mergeAfter"}"""
        },
        {
            """{"kind": "arrow", "experts": [{"adapter": "a/y"}], "general": [{"adapter": "a/g"}]}""",
            """{"kind":"arrow","experts":[{"adapter":"a/y@3","versionId":"id-of-y"}],"general":[{"adapter":"a/g@3","weight":1,"versionId":"id-of-g"}],"mode":"exact","beta":1,"topK":1,"temperature":1,"combination":"mergeAfter"}"""
        },
    };

    [Theory]
    [MemberData(nameof(Spellings))]
    public void A_subject_has_one_canonical_spelling(string given, string canonical)
    {
        var subject = JsonSerializer.Deserialize<EvaluationSubject>(given, ApiJson.Options)!.Canonical(Resolve);
        Assert.Equal(canonical, subject.ToJson());
        var again = EvaluationSubject.Parse(canonical);
        Assert.Equal((subject.Digest, canonical), (again.Digest, again.Canonical(a => a).ToJson()));
        Assert.Equal(subject.Kind, again.Kind);
    }

    [Fact]
    public void A_recipe_names_its_versions_and_a_mixture_all_of_its_parts()
    {
        var recipe = new RecipeSubject(new MergeRecipe("linear", [RecipeInput.Of("a/y", 0.5), RecipeInput.Of("a/x@2", 0.5)], new OutputRequest("a/out"), Notes: "n"));
        var subject = (RecipeSubject)recipe.Canonical(Resolve);
        Assert.Equal(["a/x@3", "a/y@3"], subject.Versions!.Select(v => v.Adapter));
        Assert.Equal(["a/y@3", "a/x@3"], subject.Recipe.Inputs.Select(i => i.Adapter));
        Assert.Equal((null, null), (subject.Recipe.Output, subject.Recipe.Notes));
        Assert.Equal("linear of a/y@3, a/x@3", subject.Label);
        MixtureSubject Of(params EvaluationSubject[] parts) => new([.. parts.Select(p => new MixturePart(p))]);
        var (one, other) = (Of(recipe, new AdapterSubject("a/z")).Canonical(Resolve), Of(new AdapterSubject("a/z"), recipe).Canonical(Resolve));
        Assert.Equal(one.Digest, other.Digest);
        Assert.Equal(["a/x@3", "a/y@3", "a/z@3"], one.Adapters.Select(a => a.Adapter).Order());
        Assert.Equal(one.Digest, EvaluationSubject.Parse(one.ToJson()).Digest);
    }

    [Fact]
    public void What_cannot_be_evaluated_is_told_with_its_place()
    {
        SubjectAdapter[] experts = [new("a/x")];
        Assert.Equal("parts[1].weight", new WeightedSubject([new("a/x"), new("a/y", double.NaN)]).Check()?.Place);
        Assert.Equal("parts", new WeightedSubject([]).Check()?.Place);
        Assert.Equal("experts", new ArrowSubject([]).Check()?.Place);
        Assert.Equal("mode", new ArrowSubject(experts, Mode: "project").Check()?.Place);
        Assert.Equal("topK", new ArrowSubject(experts, TopK: 0).Check()?.Place);
        Assert.Equal("temperature", new ArrowSubject(experts, Temperature: 0).Check()?.Place);
        Assert.Equal("combination", new ArrowSubject(experts, Combination: "merge").Check()?.Place);
        Assert.Equal("general", new ArrowSubject(experts, [new("a/g", double.NaN)]).Check()?.Place);
        Assert.Equal("parts[0].subject.topK", new MixtureSubject([new(new ArrowSubject(experts, TopK: 0))]).Check()?.Place);
        Assert.Equal("parts", new MixtureSubject([new(new BaseSubject(), 0)]).Check()?.Place);
        EvaluationSubject deep = new BaseSubject();
        for (var i = 0; i < 4; i++)
            deep = new MixtureSubject([new(deep)]);
        Assert.EndsWith("parts", deep.Check()?.Place, StringComparison.Ordinal);
        Assert.Null(new MixtureSubject([new(new BaseSubject())]).Check());
        Assert.Null(new ArrowSubject(experts).Check());
    }
}
