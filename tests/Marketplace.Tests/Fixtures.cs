namespace Marketplace.Tests;

/// <summary>Files under tests/fixtures, found from wherever the tests run inside the repository.</summary>
internal static class Fixtures
{
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Marketplace.sln")))
                return System.IO.Path.Combine(folder.FullName, "tests", "fixtures");
        }
        throw new DirectoryNotFoundException("The tests must run inside the repository.");
    }
}
