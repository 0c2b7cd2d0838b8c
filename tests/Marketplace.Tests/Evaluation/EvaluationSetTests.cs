using System.Collections.Immutable;
using System.Text;
using CsCheck;
using Marketplace.Core.Evaluation;
using Marketplace.Core.Validation;
using Xunit;
using static Marketplace.Tests.Evaluation.TrainedFixture;

namespace Marketplace.Tests.Evaluation;

public sealed class EvaluationSetTests
{
    private const string Choice = """{"prompt": "1+1=", "choices": ["1", "2"], "answer": 1}""";

    [Fact]
    public void A_file_of_items_alone_is_a_set_of_the_kind_that_they_tell()
    {
        var set = Set("copy");
        Assert.Equal((EvaluationKind.MultipleChoice, Metric.Accuracy, 100), (set.Kind, set.Header.Metric, set.Items.Length));
        var first = Assert.IsType<MultipleChoiceItem>(set.Items[0]);
        Assert.Equal(("copy-000", "copy", "C:ked=", 1), (first.Id, first.Task, first.Prompt, first.Answer));
        Assert.Equal(EvaluationKind.Continuation, Read("""{"prompt": "a", "continuation": "b"}""").Kind);
        Assert.Equal(EvaluationKind.Perplexity, Read("""{"text": "b"}""").Kind);
        var written = Assert.IsType<GenerationItem>(Read("""{"prompt": "a", "answers": ["b"]}""").Items[0]);
        Assert.Equal((EvaluationSetLimits.DefaultTokens, 0), (written.MaxTokens, written.Stop.Length));
    }

    [Fact]
    public void What_canonical_bytes_say_is_the_set_itself() => AnySet.Sample(lines =>
    {
        var set = Read(lines);
        Assert.True(EvaluationSetReader.TryRead(set.Bytes, out var again, out _));
        Assert.Equal((set.Digest, set.Header), (again.Digest, again.Header));
        Assert.True(again.Bytes.Span.SequenceEqual(set.Bytes.Span));
    }, iter: 60);

    [Fact]
    public void Spelling_order_and_blank_lines_change_no_digest()
    {
        var set = Read("""{"evaluationSet": 1, "kind": "multipleChoice", "description": "sums"}""", Choice);
        var other = Read("\uFEFF" + """{"description":"s\u0075ms","evaluationSet":1}""", "", "  \r", """  {"answer":1,"choices":["1","2"],"prompt":"1+1=","id":null} """ + "\r");
        Assert.Equal(set.Digest, other.Digest);
        Assert.NotEqual(set.Digest, Read(Choice).Digest);
    }

    [Fact]
    public void Fields_given_beside_the_file_go_before_its_header()
    {
        var bytes = Encoding.UTF8.GetBytes("""{"evaluationSet": 1, "metric": "accuracyNorm", "separator": " ", "licence": "MIT"}""" + "\n" + Choice);
        Assert.True(EvaluationSetReader.TryRead(bytes, out var set, out _, new(Metric: Metric.AccuracyTokenNorm, Description: "sums")));
        Assert.Equal(new(EvaluationKind.MultipleChoice, Metric.AccuracyTokenNorm, " ", false, "sums", "MIT"), set.Header);
    }

    [Fact]
    public void Generated_text_is_held_against_answers_without_white_space_at_the_ends()
    {
        var strict = Read("""{"prompt": "a", "answers": ["Paris", "La ville"]}""");
        var loose = Read("""{"evaluationSet": 1, "ignoreCase": true}""", """{"prompt": "a", "answers": ["Paris"]}""");
        Assert.True(strict.Matches((GenerationItem)strict.Items[0], " La ville\n"));
        Assert.False(strict.Matches((GenerationItem)strict.Items[0], "paris"));
        Assert.True(loose.Matches((GenerationItem)loose.Items[0], "paris"));
    }

    [Theory]
    [InlineData(EvaluationSetProblem.NotJson, null, "{")]
    [InlineData(EvaluationSetProblem.NotJson, null, "[]")]
    [InlineData(EvaluationSetProblem.NotJson, null, """{"prompt": "a", "prompt": "b", "choices": ["1", "2"], "answer": 1}""")]
    [InlineData(EvaluationSetProblem.KindUnknown, null, """{"prompt": "a"}""")]
    [InlineData(EvaluationSetProblem.MemberMissing, "prompt", """{"choices": ["1", "2"], "answer": 1}""")]
    [InlineData(EvaluationSetProblem.MemberMissing, "answer", """{"prompt": "a", "choices": ["1", "2"]}""")]
    [InlineData(EvaluationSetProblem.MemberUnknown, "label", """{"prompt": "a", "choices": ["1", "2"], "answer": 1, "label": 1}""")]
    [InlineData(EvaluationSetProblem.MemberUnknown, "text", """{"prompt": "a", "continuation": "b", "text": "c"}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "prompt", """{"prompt": 1, "continuation": "b"}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "continuation", """{"prompt": "a", "continuation": ""}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "text", """{"text": "\ud800"}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "choices", """{"prompt": "a", "choices": ["1"], "answer": 0}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "choices[1]", """{"prompt": "a", "choices": ["1", ""], "answer": 0}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "answers", """{"prompt": "a", "answers": ["b", "  "]}""")]
    [InlineData(EvaluationSetProblem.MemberInvalid, "maxTokens", """{"prompt": "a", "answers": ["b"], "maxTokens": 0}""")]
    [InlineData(EvaluationSetProblem.AnswerInvalid, "answer", """{"prompt": "a", "choices": ["1", "2"], "answer": 2}""")]
    [InlineData(EvaluationSetProblem.AnswerInvalid, "answer", """{"prompt": "a", "choices": ["1", "2"], "answer": "1"}""")]
    [InlineData(EvaluationSetProblem.HeaderInvalid, "kind", """{"evaluationSet": 1, "kind": "choice"}""")]
    [InlineData(EvaluationSetProblem.HeaderInvalid, "evaluationSet", """{"evaluationSet": 2}""")]
    [InlineData(EvaluationSetProblem.HeaderInvalid, "speed", """{"evaluationSet": 1, "speed": 1}""")]
    public void What_cannot_be_used_is_reported_with_its_place(string code, string? member, string line)
    {
        var problem = Problems("", line)[0];
        Assert.Equal((code, 2, member, IssueSeverity.Error), (problem.Code, problem.Line, problem.Member, problem.Severity));
        Assert.NotEqual("", problem.Message);
    }

    [Fact]
    public void All_problems_are_reported_up_to_a_limit()
    {
        var problems = Problems("""{"prompt": 1, "choices": ["a"], "answer": 1, "x": 1}""", "{", Choice.Replace("1}", "7}", StringComparison.Ordinal));
        Assert.Equal([(1, "prompt"), (1, "choices"), (1, "x"), (2, null), (3, "answer")], problems.Select(p => (p.Line, p.Member)));
        var many = Problems([Choice, .. Enumerable.Repeat("{", 500)]);
        Assert.Equal(EvaluationSetLimits.MaxProblems + 1, many.Length);
        Assert.Equal(EvaluationSetProblem.More, many[^1].Code);
    }

    [Fact]
    public void Repeated_ids_refuse_a_set_and_repeated_items_warn()
    {
        var named = Choice.Replace("{", """{"id": "x", """, StringComparison.Ordinal);
        Assert.Contains(Problems(named, named.Replace("1+1", "2+2", StringComparison.Ordinal)), p => (p.Code, p.Line, p.Member) == (EvaluationSetProblem.IdRepeated, 2, "id"));
        Assert.Contains(EvaluationSetProblem.ItemRepeated, Problems(named, Choice).Select(p => p.Code));
        Assert.Contains(EvaluationSetProblem.ChoiceRepeated, Problems("""{"prompt": "a", "choices": ["1", "1"], "answer": 1}""").Select(p => p.Code));
        Assert.Equal(2, Read(named, Choice).Items.Length);
        // As many warnings as one likes refuse nothing.
        Assert.Equal(300, Read([.. Enumerable.Repeat(Choice, 300)]).Items.Length);
    }

    [Fact]
    public void Sets_have_limits()
    {
        Assert.Equal(EvaluationSetProblem.Empty, Assert.Single(Problems("")).Code);
        Assert.Equal(EvaluationSetProblem.Empty, Assert.Single(Problems("""{"evaluationSet": 1, "kind": "perplexity"}""")).Code);
        Assert.Equal(EvaluationSetProblem.MetricInvalid, Assert.Single(Problems("""{"evaluationSet": 1, "metric": "exactMatch"}""", Choice)).Code);
        Assert.Equal(EvaluationSetProblem.LineTooLong, Problems($$"""{"text": "{{new string('a', EvaluationSetLimits.MaxLineBytes)}}"}""")[0].Code);
        Assert.Equal(EvaluationSetProblem.TooManyItems, Problems([.. Enumerable.Range(0, EvaluationSetLimits.MaxItems + 1).Select(i => $$"""{"text":"{{i}}"}""")])[^1].Code);
        EvaluationSetReader.TryRead(new byte[EvaluationSetLimits.MaxBytes + 1], out _, out var problems);
        Assert.Equal(EvaluationSetProblem.TooLarge, Assert.Single(problems).Code);
    }

    private static readonly Gen<string> Texts = Gen.String[Gen.Char["ab \"\\\né€\u2028<"], 1, 6];

    private static readonly Gen<string[]> AnySet = Gen.Select(Gen.Int[0, 3], Gen.Int[1, 6], Gen.Bool, Texts.Array[40], (kind, count, headed, texts) => (kind, count, headed, texts)).Select(g =>
    {
        string Json(int i) => System.Text.Json.JsonSerializer.Serialize(g.texts[i % 40]);
        var items = Enumerable.Range(0, g.count).Select(i => g.kind switch
        {
            0 => $$"""{"task": {{Json(i)}}, "prompt": {{Json(5 * i)}}, "choices": [{{Json((5 * i) + 1)}}, {{Json((5 * i) + 2)}}], "answer": {{i % 2}}}""",
            1 => $$"""{"id": "i{{i}}", "prompt": "", "continuation": {{Json(5 * i)}}}""",
            2 => $$"""{"text": {{Json(5 * i)}}}""",
            _ => $$"""{"prompt": {{Json(5 * i)}}, "answers": ["x", "y"], "maxTokens": {{i + 1}}, "stop": [{{Json((5 * i) + 3)}}]}""",
        });
        ImmutableArray<string> header = g.headed ? [$$"""{"evaluationSet": 1, "separator": {{Json(39)}}, "description": {{Json(38)}}}"""] : [];
        return (string[])[.. header, .. items];
    });
}
