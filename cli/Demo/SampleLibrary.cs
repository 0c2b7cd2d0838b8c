namespace Marketplace.Cli.Demo;

/// <summary>The samples folder of the repository: what the demo publishes.</summary>
internal sealed class SampleLibrary(string root)
{
    /// <summary>The base model that all of them name.</summary>
    public const string BaseModel = "marketplace/samples-base";

    /// <summary>Names of the general-knowledge adapters; the others are task adapters.</summary>
    public static readonly IReadOnlyList<string> General = ["log", "prose"];

    /// <summary>Folders of the good adapters by name.</summary>
    public IReadOnlyList<string> Good { get; } = Folders(Path.Combine(root, "library"));

    /// <summary>The base model's folder.</summary>
    public string Base { get; } = Path.Combine(root, "base");

    /// <summary>Files of evaluation sets, one for each task.</summary>
    public IReadOnlyList<string> Sets { get; } = [.. Directory.GetFiles(Path.Combine(root, "sets"), "*.jsonl").Order(StringComparer.Ordinal)];

    /// <summary>Folders of the broken ones.</summary>
    public IReadOnlyList<string> Broken { get; } = Folders(Path.Combine(root, "broken"));

    /// <summary>Names of the task adapters.</summary>
    public IReadOnlyList<string> Tasks => [.. Good.Select(f => Path.GetFileName(f)).Except(General)];

    /// <summary>Finds the folder: the nearest one above the program.</summary>
    public static SampleLibrary Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var samples = Path.Combine(folder.FullName, "samples");
            if (Directory.Exists(Path.Combine(samples, "library")))
                return new SampleLibrary(samples);
        }

        throw new CliException("no-samples", ExitCode.Failed, "The samples folder is not above this program.", "Run the demo from a clone of the repository.");
    }

    private static string[] Folders(string path) => [.. Directory.GetDirectories(path).Order(StringComparer.Ordinal)];
}
