using System.Runtime.InteropServices;

namespace Marketplace.Cli.Local;

/// <summary>Where the build puts the hosts that <c>up</c> starts: beside this program's own folder.</summary>
internal static class HostAssemblies
{
    /// <summary>The function app's standalone host.</summary>
    public static string Functions => Find("Marketplace.Functions");

    /// <summary>The kernels' queue consumer.</summary>
    public static string Kernels => Find("Marketplace.Kernels");

    /// <summary>The dotnet command of the runtime that runs this process.</summary>
    public static string DotnetPath
    {
        get
        {
            var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
            // …/shared/Microsoft.NETCore.App/10.x/ lies three folders below it.
            var beside = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", name));
            return File.Exists(beside) ? beside : name;
        }
    }

    // artifacts/bin/Marketplace.Cli/debug/ → artifacts/bin/NAME/debug/NAME.dll
    private static string Find(string name)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory);
        var path = Path.Combine(own.Parent?.Parent?.FullName ?? own.FullName, name, own.Name, $"{name}.dll");
        return File.Exists(path) ? path : throw new CliException(
            "not-built", ExitCode.Failed, $"{path} is not there.", "Build the solution, or run `dotnet run --project cli -- up` in its folder.");
    }
}
