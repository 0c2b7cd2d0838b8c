using System.Collections.Immutable;
using Marketplace.Core.Formats;

namespace Marketplace.Core.Validation;

/// <summary>
/// Validates an adapter: reads each file once, then runs every check and reports all that they find. What an adapter contains never
/// throws; only files that can't be read do.
/// </summary>
public static class AdapterValidator
{
    /// <summary>Validates the files of an adapter.</summary>
    /// <exception cref="IOException">A file can't be read, or its length is not what it was said to be.</exception>
    public static ValidationReport Validate(IReadOnlyList<AdapterFile> files) => Validate(files, new ValidationOptions());

    /// <summary>Validates the files of an adapter.</summary>
    /// <exception cref="IOException">A file can't be read, or its length is not what it was said to be.</exception>
    public static ValidationReport Validate(IReadOnlyList<AdapterFile> files, ValidationOptions options) => Validate(files, options, ImmutableHashSet<string>.Empty);

    /// <summary>Validates without some of the checks, to show that each of them matters.</summary>
    internal static ValidationReport Validate(IReadOnlyList<AdapterFile> files, ValidationOptions options, IReadOnlySet<string> without)
    {
        var limits = options.Limits ?? ValidationLimits.Default;
        var context = new ValidationContext([.. files.Take(limits.Files).Select(f => FileScan.Of(f, options, limits))], limits, files.Count);
        foreach (var check in ValidationChecks.All)
        {
            if (!without.Contains(check.Name))
                check.Run(context);
        }

        return Report(context);
    }

    /// <summary>The context of an adapter whose numbers need not be looked at, after all checks on its structure.</summary>
    internal static ValidationContext CheckStructure(ReadOnlyMemory<byte> config, SafetensorsParse header)
    {
        FileScan[] files =
        [
            new(RepositoryPath.Config, config.Length, ContentKinds.Of(config.Span), null, null) { Config = config },
            new(RepositoryPath.Weights, header.Header?.FileLength ?? 0, ContentKind.Other, null, null) { Header = header },
        ];
        var context = new ValidationContext([.. files], ValidationLimits.Default, files.Length);
        foreach (var check in ValidationChecks.All)
            check.Run(context);
        return context;
    }

    private static ValidationReport Report(ValidationContext context)
    {
        var config = context.Config?.Config;
        var factors = context.Layout?.Modules.SelectMany(m => new[] { m.A, m.B }).OfType<TensorInfo>() ?? [];
        return new(
            context.Issues,
            [.. context.Files.Select(f => new FileReport(f.Path, f.Size, f.Digest?.Hex, f.GitSha1))],
            config is null ? null : Configuration(config),
            [.. context.Modules().Select(m => Module(context, m.Module, m.Tensors))],
            context.Header?.Tensors.Length ?? 0,
            factors.Sum(t => t.ElementCount))
        {
            Config = config,
        };
    }

    private static ConfigReport Configuration(AdapterConfig config) => new(
        config.BaseModel, BaseModelName.TryParse(config.BaseModel, out var name) ? name.Text : null, config.Revision, config.TaskType,
        config.Rank, config.Alpha, config.UseRsLora, config.UseDora,
        config.TargetModules switch
        {
            null => [],
            { IsAllLinear: true } => ["all-linear"],
            { Pattern: { } pattern } => [pattern],
            var list => Sorted(list.Names),
        },
        Sorted(config.ModulesToSave));

    private static ImmutableArray<string> Sorted(IEnumerable<string> names) =>
        [.. names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private static ModuleReport Module(ValidationContext context, TargetModule module, ModuleTensors tensors)
    {
        var norm = context.WeightsFile!.Norms.TryGetValue(module.Name, out var product) ? Math.Abs(module.Scaling) * product : double.NaN;
        return new(
            module.Name, module.Kind, module.Out, module.In, module.Rank, module.Scaling, tensors.A!.Type,
            double.IsFinite(norm) ? norm : null);
    }
}
