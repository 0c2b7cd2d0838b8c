namespace Marketplace.Core.Validation;

/// <summary>Checks on files as such.</summary>
internal static class FileChecks
{
    public static void Paths(ValidationContext context)
    {
        foreach (var file in context.Files.Where(f => !RepositoryPath.IsValid(f.Path)))
            context.Add(IssueCodes.PathInvalid, file.Path, "Hub clients refuse this path, or cannot fetch it.");
    }

    public static void UniquePaths(ValidationContext context)
    {
        foreach (var group in context.Files.GroupBy(f => f.Path, StringComparer.Ordinal).Where(g => g.Count() > 1))
            context.Add(IssueCodes.PathRepeated, group.Key, $"{group.Count()} files lie at this path.");
    }

    public static void Count(ValidationContext context)
    {
        if (context.FileCount > context.Limits.Files)
            context.Add(IssueCodes.LimitExceeded, context.Files[^1].Path, $"There are {context.FileCount} files; at most {context.Limits.Files} are taken.");
    }

    public static void Sizes(ValidationContext context)
    {
        foreach (var file in context.Files)
        {
            var limit = file.Path == RepositoryPath.Config ? context.Limits.ConfigBytes : context.Limits.FileBytes;
            if (file.Size > limit)
                context.Add(IssueCodes.LimitExceeded, file.Path, $"The file has {file.Size} bytes; at most {limit} are taken.");
        }
    }

    public static void Pickles(ValidationContext context)
    {
        foreach (var file in context.Files.Where(f => f.Kind == ContentKind.Pickle))
            context.Add(IssueCodes.Pickle, file.Path, "The content is a pickle or a zip archive, whatever the name says. Save it as safetensors.");
    }

    public static void OtherWeights(ValidationContext context)
    {
        foreach (var file in context.Files)
        {
            if (file.Path != RepositoryPath.Weights && file.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
                context.Add(IssueCodes.UnreadWeights, file.Path, $"Only {RepositoryPath.Weights} is read.");
        }
    }
}
