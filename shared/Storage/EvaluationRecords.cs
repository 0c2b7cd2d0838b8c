using System.Collections.Immutable;
using Azure;
using Marketplace.Core;
using Marketplace.Core.Evaluation;

namespace Marketplace.Storage;

/// <summary>An evaluation set: its name, who may see it, and its newest version. Names are a namespace of their own.</summary>
/// <param name="Id">The name as first spelled.</param>
/// <param name="Private">Whether it exists for its owner only.</param>
/// <param name="Listed">Whether lists show it.</param>
/// <param name="Main">The newest version; null before the first.</param>
/// <param name="CreatedAt">When the name was taken.</param>
/// <param name="UpdatedAt">When the row was last written.</param>
/// <param name="ETag">Guards updates.</param>
public sealed record EvaluationSetRecord(
    AdapterId Id, bool Private, bool Listed, EvaluationSetVersion? Main, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, ETag ETag);

/// <summary>One immutable version of an evaluation set.</summary>
/// <param name="Number">1 for the first.</param>
/// <param name="Digest">Digest of its canonical bytes, under which they are stored.</param>
/// <param name="Header">What holds for all items.</param>
/// <param name="Items">Number of items.</param>
/// <param name="Bytes">Number of canonical bytes.</param>
/// <param name="CreatedAt">When it was published.</param>
/// <param name="PublishedBy">The account that published it.</param>
/// <param name="Message">What the publisher says about it.</param>
public sealed record EvaluationSetVersion(
    int Number, Digest Digest, EvaluationSetHeader Header, int Items, long Bytes, DateTimeOffset CreatedAt, string PublishedBy, string? Message);

/// <summary>
/// What the result of an evaluation follows from. The set's name is part of it: whoever publishes a copy of another's private set learns nothing from how soon
/// results are there.
/// </summary>
/// <param name="BaseModel">The canonical base model.</param>
/// <param name="BaseDigest">Digest of its configuration and weights.</param>
/// <param name="Subject">Digest of the canonical subject.</param>
/// <param name="Set">The set's name.</param>
/// <param name="SetDigest">Digest of the set's canonical bytes.</param>
/// <param name="Settings">Digest of the settings in canonical form, among them whatever of the kernels changes numbers.</param>
public sealed record EvaluationKey(string BaseModel, Digest BaseDigest, Digest Subject, AdapterId Set, Digest SetDigest, Digest Settings)
{
    /// <summary>The result's id: 64 hexadecimal digits that follow from the key.</summary>
    public string Id => Keys.Hash(
        $"{Keys.Model(BaseModel)}\n{BaseDigest}\n{Subject}\n{Keys.Adapter(Set)}\n{SetDigest}\n{Settings}");
}

/// <summary>The result of an evaluation, without its predictions.</summary>
/// <param name="Key">What it follows from.</param>
/// <param name="Subject">What was evaluated, in canonical form.</param>
/// <param name="SetNumber">The set's version by which it was asked for.</param>
/// <param name="SettingsJson">The settings in canonical form.</param>
/// <param name="Scores">Every metric of the set's kind.</param>
/// <param name="Items">Number of items.</param>
/// <param name="Candidates">
/// How many subjects were tried on this set to arrive at this one, itself included: 1, or the evaluations that a search over weights has spent.
/// </param>
/// <param name="Owner">The account that asked for it; shown to nobody else.</param>
/// <param name="JobId">The job that computed it.</param>
/// <param name="Kernel">Version and device kind of the kernels.</param>
/// <param name="CreatedAt">When it was finished.</param>
public sealed record EvaluationResultRecord(
    EvaluationKey Key, EvaluationSubject Subject, int SetNumber, string SettingsJson, ImmutableArray<Score> Scores, int Items, int Candidates, string Owner,
    string JobId, string Kernel, DateTimeOffset CreatedAt)
{
    /// <summary>64 hexadecimal digits.</summary>
    public string Id => Key.Id;
}
