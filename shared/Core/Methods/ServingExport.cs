using System.Collections.Immutable;
using Marketplace.Core.Algebra;
using Marketplace.Core.Formats;
using Marketplace.Core.Merges;

namespace Marketplace.Core.Methods;

/// <summary>
/// An adapter in the form that every server and every version of PEFT reads alike: scaling folded into B (alpha = r, no rsLoRA, no
/// patterns), one rank for all modules, every kind of module in every layer, explicit module names, nothing beside A and B. Equal
/// modules and options give equal bytes.
/// </summary>
public sealed class ServingExport
{
    /// <summary>The ranks that vLLM can be configured for, and so the ranks of exports.</summary>
    public static readonly ImmutableArray<int> Ranks = [8, 16, 32, 64, 128, 256, 320, 512];

    private readonly ImmutableArray<PackedModule> modules;

    private ServingExport(ImmutableArray<PackedModule> modules, AdapterConfig config, ExportReport report) =>
        (this.modules, Config, Report) = (modules, config, report);

    /// <summary>The configuration that belongs to the weights; its <see cref="AdapterConfig.ToJson"/> is adapter_config.json.</summary>
    public AdapterConfig Config { get; }

    /// <summary>What was done.</summary>
    public ExportReport Report { get; }

    /// <summary>
    /// Rounds modules to the element type, one at a time, and settles rank and coverage. Each rounded module is compared with what
    /// it was made of: |ΔW rounded − ΔW| ∕ |ΔW| must stay below 2⁻⁷ (BF16), 2⁻¹⁰ (F16) or 2⁻²⁰ (F32).
    /// </summary>
    /// <param name="result">The modules, such as <see cref="Merging.Run"/> yields; enumerated once.</param>
    /// <param name="options">What the caller decides.</param>
    /// <param name="export">The export, if there are no problems.</param>
    /// <param name="problems">Every reason why not.</param>
    public static bool TryCreate(
        IEnumerable<MergedModule> result, ServingOptions options,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ServingExport? export, out ImmutableArray<ExportProblem> problems)
    {
        export = null;
        if (options.Type is not (TensorType.F32 or TensorType.BF16 or TensorType.F16))
        {
            problems = [new(ExportProblem.TypeInvalid, $"Factors are written as F32, BF16 or F16, not as {options.Type}.")];
            return false;
        }

        var packing = new Packing(options.Type);
        foreach (var module in result)
            packing.Add(module);
        if (packing.Modules.Count == 0 && packing.Problems.Count == 0)
            packing.Problems.Add(new(ExportProblem.NoModules, "There is no module to export."));
        problems = [.. packing.Problems];
        if (!problems.IsEmpty)
            return false;
        export = Complete(packing, options);
        return true;
    }

    /// <summary>Writes adapter_model.safetensors.</summary>
    public void Write(Stream stream) => SafetensorsWriter.Write(stream, Tensors(), SafetensorsWriter.PyTorch);

    /// <summary>Writes adapter_model.safetensors and adapter_config.json into a directory.</summary>
    public void Save(string directory)
    {
        SafetensorsWriter.Save(Path.Combine(directory, "adapter_model.safetensors"), Tensors(), SafetensorsWriter.PyTorch);
        File.WriteAllBytes(Path.Combine(directory, "adapter_config.json"), Config.ToJson());
    }

    /// <summary>Compares what was written, read again, with what should have been: not a single value may differ.</summary>
    /// <param name="reloaded">The written files, opened as any other adapter.</param>
    /// <returns>A problem for each module that differs; none if all is well.</returns>
    public ImmutableArray<ExportProblem> Check(Adapter reloaded)
    {
        var names = modules.Select(m => m.Module.Name).ToHashSet(StringComparer.Ordinal);
        var unexpected = reloaded.Modules.Select(m => m.Name).Where(n => !names.Contains(n))
            .Select(n => new ExportProblem(ExportProblem.ReadsBackDifferent, $"{n} was not written.", n));
        var differing = modules.Where(m => !Same(m.Unpack(Report.Rank), reloaded.Delta(m.Module.Name)))
            .Select(m => new ExportProblem(ExportProblem.ReadsBackDifferent, $"{m.Module.Name} reads back as another ΔW.", m.Module.Name));
        return [.. unexpected, .. differing];
    }

    private static bool Same(LowRankDelta written, LowRankDelta? read) =>
        read is not null && (written.Out, written.Rank, written.In) == (read.Out, read.Rank, read.In)
        && written.B.Values.AsSpan().SequenceEqual(read.B.Values) && written.A.Values.AsSpan().SequenceEqual(read.A.Values);

    private static ServingExport Complete(Packing packing, ServingOptions options)
    {
        var (missing, unknown) = LayerCoverage.Of(packing.Modules.Select(m => m.Module));
        var all = packing.Modules.Concat(missing.Select(m => PackedModule.Zero(m, options.Type)))
            .OrderBy(m => m.Module.Name, StringComparer.Ordinal).ToImmutableArray();
        var needed = packing.Modules.Max(m => m.Module.Rank);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Rank ?? needed, needed);
        var rank = options.Rank ?? Ranks.FirstOrDefault(r => r >= needed, needed);
        var config = new AdapterConfig
        {
            BaseModel = options.BaseModel,
            TaskType = options.TaskType,
            Rank = rank,
            Alpha = rank,
            FanInFanOut = options.FanInFanOut,
            TargetModules = ModuleSelector.List(all.Select(m => LayerCoverage.Suffix(m.Module.Name)).Distinct().Order(StringComparer.Ordinal)),
        };
        return new(all, config, new(
            rank, needed > Ranks[^1], options.Type, all.Length, [.. missing.Select(m => m.Name)], unknown,
            [.. all.Where(m => m.Module.Kind != ModuleKind.Linear).Select(m => m.Module.Name)],
            packing.LargestError, packing.LargestErrorModule, packing.Underflowed));
    }

    private IEnumerable<TensorSource> Tensors() => modules.SelectMany(m => Tensors(m, Report.Rank));

    private static TensorSource[] Tensors(PackedModule packed, int rank)
    {
        var module = packed.Module;
        var path = $"base_model.model.{module.Name}";
        return (module.Kind, module.Kernel) switch
        {
            (ModuleKind.Embedding, _) => Pair($"{path}.lora_embedding_A", [rank, module.In], $"{path}.lora_embedding_B", [module.Out, rank]),
            (ModuleKind.Conv2d, var (height, width)) => Pair(
                $"{path}.lora_A.weight", [rank, module.In / (height * width), height, width], $"{path}.lora_B.weight", [module.Out, rank, 1, 1]),
            _ => Pair($"{path}.lora_A.weight", [rank, module.In], $"{path}.lora_B.weight", [module.Out, rank]),
        };

        TensorSource[] Pair(string nameA, ImmutableArray<long> shapeA, string nameB, ImmutableArray<long> shapeB) =>
        [
            new(nameA, packed.Type, shapeA, () => packed.PaddedA(rank)),
            new(nameB, packed.Type, shapeB, () => packed.PaddedB(rank)),
        ];
    }

    // What is gathered while modules go by.
    private sealed class Packing(TensorType type)
    {
        public List<PackedModule> Modules { get; } = [];

        public List<ExportProblem> Problems { get; } = [];

        public double LargestError { get; private set; }

        public string? LargestErrorModule { get; private set; }

        public long Underflowed { get; private set; }

        public void Add(MergedModule merged)
        {
            var name = merged.Module.Name;
            if (!MatrixMath.IsFinite(merged.Delta.A) || !MatrixMath.IsFinite(merged.Delta.B))
            {
                Problems.Add(new(ExportProblem.Overflow, $"{name} has values that are not finite.", name));
                return;
            }

            var (packed, loss, error) = Pack(merged, merged.Delta);
            if (loss.Overflowed > 0 || error >= Bound) // factors that largely cancel lose less once they are rewritten without the redundancy
                (packed, loss, error) = Pack(merged, Recompression.Of(merged.Delta, RankPolicy.Lossless).Delta);
            Modules.Add(packed);
            Underflowed += loss.Underflowed;
            if (error > LargestError)
                (LargestError, LargestErrorModule) = (error, name);
            if (loss.Overflowed > 0)
                Problems.Add(new(ExportProblem.Overflow, $"{name} has values beyond the range of {type}.", name));
            else if (error >= Bound)
                Problems.Add(new(ExportProblem.RoundingTooLarge, $"Rounding {name} to {type} changes ΔW by {error:g3} of its norm, more than {Bound:g3}.", name));
        }

        private (PackedModule Packed, ConversionLoss Loss, double Error) Pack(MergedModule merged, LowRankDelta factors)
        {
            var packed = PackedModule.Pack(merged.Module, factors, type, out var loss);
            var norm = Deltas.Norm(merged.Delta);
            var error = loss.Overflowed > 0 || norm == 0 ? 0 : Deltas.Distance(packed.Unpack(factors.Rank), merged.Delta) / norm;
            return (packed, loss, error);
        }

        private double Bound => type switch
        {
            TensorType.BF16 => 1d / (1 << 7),
            TensorType.F16 => 1d / (1 << 10),
            _ => 1d / (1 << 20),
        };
    }
}
