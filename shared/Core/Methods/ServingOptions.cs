using Marketplace.Core.Formats;

namespace Marketplace.Core.Methods;

/// <summary>What the caller decides of an export.</summary>
/// <param name="BaseModel">Name of the base model, for <c>base_model_name_or_path</c>.</param>
/// <param name="Type">Element type of the factors: F32, BF16 or F16.</param>
/// <param name="FanInFanOut">Whether the base model stores linear weights as (in, out), as the inputs say.</param>
/// <param name="TaskType">PEFT's task type.</param>
/// <param name="Rank">The rank of all modules, which none of them exceeds; null for the smallest of <see cref="ServingExport.Ranks"/> that holds them.</param>
public sealed record ServingOptions(
    string BaseModel, TensorType Type, bool FanInFanOut = false, string TaskType = "CAUSAL_LM", int? Rank = null)
{
    /// <summary>The options for a result made of these adapters.</summary>
    /// <param name="baseModel">Name of the base model.</param>
    /// <param name="type">Element type; see <see cref="ResolveType"/>.</param>
    /// <param name="inputs">Configurations of the inputs. A single one that stores weights as (in, out) decides, since PEFT corrects a flag that is wrong.</param>
    public static ServingOptions For(string baseModel, TensorType type, IReadOnlyCollection<AdapterConfig> inputs) => new(
        baseModel, type, inputs.Any(c => c.FanInFanOut),
        inputs.Select(c => c.TaskType).Distinct().ToList() is [{ } only] ? only : "CAUSAL_LM");

    /// <summary>Turns a requested type into one to write.</summary>
    /// <param name="requested">F32, BF16, F16, or auto for the narrowest type that holds every input: F16 and BF16 together, like F64, become F32.</param>
    /// <param name="inputs">Element types of the inputs' factors.</param>
    /// <param name="type">The type to write.</param>
    /// <returns>Whether <paramref name="requested"/> is one of the four.</returns>
    public static bool ResolveType(string requested, IEnumerable<TensorType> inputs, out TensorType type)
    {
        type = requested switch
        {
            "BF16" => TensorType.BF16,
            "F16" => TensorType.F16,
            "auto" => inputs.Distinct().ToList() is [TensorType.BF16 or TensorType.F16] and [var only] ? only : TensorType.F32,
            _ => TensorType.F32,
        };
        return requested is "auto" or "F32" or "BF16" or "F16";
    }
}
