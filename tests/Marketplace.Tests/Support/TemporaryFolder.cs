namespace Marketplace.Tests.Support;

/// <summary>A folder of its own for one test, deleted with it.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("marketplace-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
