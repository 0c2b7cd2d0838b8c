using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Methods;

/// <summary>Why an export must not be published.</summary>
/// <param name="Code">One of the constants of this type.</param>
/// <param name="Message">The same in words.</param>
/// <param name="Module">The module concerned.</param>
public sealed record ExportProblem(string Code, string Message, string? Module = null)
{
    /// <summary>There is no module to write.</summary>
    public const string NoModules = "no-modules";

    /// <summary>The element type is none that factors are written in.</summary>
    public const string TypeInvalid = "type-invalid";

    /// <summary>A factor has NaN or an infinity, or a value beyond the range of the element type.</summary>
    public const string Overflow = "overflow";

    /// <summary>Rounding to the element type changed a module's ΔW by more than the type allows.</summary>
    public const string RoundingTooLarge = "rounding-too-large";

    /// <summary>What was written reads back as another ΔW.</summary>
    public const string ReadsBackDifferent = "reads-back-different";

    /// <summary>The rank is larger than servers take.</summary>
    public const string RankBeyondServers = "rank-beyond-servers";

    /// <summary>A module is of a kind that servers don't adapt.</summary>
    public const string KindNotServed = "kind-not-served";

    /// <summary>A kind of module is missing in some layer and can't be filled with zeros, since its shape varies.</summary>
    public const string CoverageIncomplete = "coverage-incomplete";
}

/// <summary>What an export did beyond writing the modules.</summary>
/// <param name="Rank">The uniform rank of all modules.</param>
/// <param name="RankBeyondServers">Whether that is more than servers accept (512); the rank is then kept as it is.</param>
/// <param name="Type">Element type of the factors.</param>
/// <param name="Modules">Number of modules written, including those filled with zeros.</param>
/// <param name="Filled">Modules that no input has, written as zeros because servers expect every layer to have them.</param>
/// <param name="NotFilled">Modules that are missing in some layer and could not be filled, since their shape varies from layer to layer.</param>
/// <param name="RefusedByServers">Modules of a kind that servers refuse (embeddings, convolutions); PEFT loads them.</param>
/// <param name="LargestError">The largest |ΔW written − ΔW| ∕ |ΔW| of any module.</param>
/// <param name="LargestErrorModule">The module that has it.</param>
/// <param name="Underflowed">Values that became zero by rounding.</param>
public sealed record ExportReport(
    int Rank, bool RankBeyondServers, [property: JsonConverter(typeof(JsonStringEnumConverter<TensorType>))] TensorType Type, int Modules,
    ImmutableArray<string> Filled, ImmutableArray<string> NotFilled, ImmutableArray<string> RefusedByServers,
    double LargestError, string? LargestErrorModule, long Underflowed);
