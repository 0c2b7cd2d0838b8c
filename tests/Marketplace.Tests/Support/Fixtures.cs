namespace Marketplace.Tests.Support;

/// <summary>Paths of the files under tests/fixtures, found from where the tests run.</summary>
internal static class Fixtures
{
    public static string Repository { get; } = FindRepository();

    public static string Root { get; } = Path.Combine(Repository, "tests", "fixtures");

    /// <summary>The directories of the PEFT adapters: <c>adapters/BASE/NAME</c>.</summary>
    public static IEnumerable<string> Adapters =>
        Directory.GetDirectories(Path.Combine(Root, "adapters")).SelectMany(Directory.GetDirectories).Order(StringComparer.Ordinal);

    public static string Adapter(string name) => Path.Combine(Root, "adapters", name);

    private static string FindRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Marketplace.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException("The tests run outside the repository.");
    }
}
