using Marketplace.Core.Algebra;

namespace Marketplace.Train;

/// <summary>A language: each symbol of its script is followed by one of three others, the first of them mostly.</summary>
internal sealed class Language
{
    private const double First = 0.7;
    private const double Second = 0.9;

    private readonly string script;
    private readonly int[][] followers;

    public Language(string script, ulong seed)
    {
        this.script = script;
        var random = new Philox(seed, $"language {script}");
        followers = [.. script.Select(_ => new[] { random.NextIndex(script.Length), random.NextIndex(script.Length), random.NextIndex(script.Length) })];
    }

    public string Text(Philox random, int length)
    {
        var text = new char[length];
        var at = random.NextIndex(script.Length);
        for (var i = 0; i < length; i++)
        {
            text[i] = script[at];
            var draw = random.NextDouble();
            at = followers[at][draw < First ? 0 : draw < Second ? 1 : 2];
        }

        return new(text);
    }
}
