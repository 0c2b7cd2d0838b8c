using System.Runtime.InteropServices;

namespace Marketplace.Kernels;

/// <summary>The C library's memory, which libtorch's tensors lie in.</summary>
internal static class NativeMemory
{
    /// <summary>
    /// Gives free pages back to the system. Before 2.38, glibc seldom uses again what was allocated aligned, as tensors are, and freed (its bug 14581): each pass over a set would leave some hundred
    /// megabytes behind. Takes milliseconds; does nothing elsewhere.
    /// </summary>
    public static void Trim()
    {
        if (!OperatingSystem.IsLinux())
            return;
        try
        {
            _ = Trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library than glibc, without this call and without the need.
        }
    }

    [DllImport("libc", EntryPoint = "malloc_trim"), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Trim(nuint keep);
}
