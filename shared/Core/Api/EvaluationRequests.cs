using Marketplace.Core.Evaluation;

namespace Marketplace.Core.Api;

/// <summary>POST /api/v1/evaluations: every subject is scored on every set, on the kernels. What was scored before, by whoever asked, is not computed again.</summary>
/// <param name="Sets">1 to 50 evaluation sets, as <c>owner/name</c> or <c>owner/name@revision</c>.</param>
/// <param name="Subjects">What is scored: the base model, adapters, recipes (without publishing what they make), weighted sets, Arrow, mixtures.</param>
/// <param name="Library">Each adapter of a library as a subject, besides those named.</param>
/// <param name="BaseModel">The base model; needed where no adapter says it, and else a check.</param>
/// <param name="Registration">Number or digest of a registration of the base model's files; the newest if absent.</param>
public sealed record EvaluationRequest(
    IReadOnlyList<string> Sets, IReadOnlyList<EvaluationSubject>? Subjects = null, LibraryTargets? Library = null, string? BaseModel = null, string? Registration = null);

/// <summary>What an evaluation job found.</summary>
/// <param name="BaseModel">The base model.</param>
/// <param name="BaseDigest">Digest of the files that were used.</param>
/// <param name="Rows">By subject, then by set, in the order asked.</param>
/// <param name="Refused">Subjects that could not be scored; they stop nothing.</param>
/// <param name="Reused">How many rows were there before.</param>
/// <param name="Seconds">What it took.</param>
public sealed record EvaluationJobResult(
    string BaseModel, string BaseDigest, IReadOnlyList<EvaluationRow> Rows, IReadOnlyList<RefusedSubject> Refused, int Reused, double Seconds);

/// <summary>A subject on a set.</summary>
/// <param name="Evaluation">Id of the result: <c>GET /evaluations/{id}</c> has every metric, and the predictions.</param>
/// <param name="Subject">The subject in a line.</param>
/// <param name="Set">The set, as <c>owner/name@number</c>.</param>
/// <param name="Metric">The set's own metric.</param>
/// <param name="Value">Its value.</param>
/// <param name="Low">Lower end of its 95 % interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="Items">Number of items.</param>
/// <param name="Index">Index of the subject in the job's request; several may read alike in a line.</param>
public sealed record EvaluationRow(string Evaluation, string Subject, string Set, Metric Metric, double Value, double Low, double High, int Items, int Index);

/// <summary>A subject that can't be scored.</summary>
/// <param name="Subject">The subject in a line.</param>
/// <param name="Code">As of failed jobs.</param>
/// <param name="Message">Why.</param>
public sealed record RefusedSubject(string Subject, string Code, string Message);
