namespace Marketplace.Cli.Local;

/// <summary>Where the program keeps what it must remember: under the user's XDG state folder, readable by the user only.</summary>
internal static class StateFolder
{
    /// <summary>The folder itself.</summary>
    public static string Root => Path.Combine(Base("XDG_STATE_HOME", ".local/state"), "marketplace");

    /// <summary>Where <c>up</c> keeps published data unless told otherwise.</summary>
    public static string DefaultData => Path.Combine(Base("XDG_DATA_HOME", ".local/share"), "marketplace");

    /// <summary>A folder below it, created if need be.</summary>
    public static string Subfolder(string name)
    {
        var path = Path.Combine(Root, name);
        PrivateFile.CreateDirectory(path);
        return path;
    }

    private static string Base(string variable, string fallback)
    {
        // The XDG rules: relative paths in these variables are to be ignored.
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set && Path.IsPathRooted(set))
            return set;
        if (OperatingSystem.IsWindows())
            return Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return home.Length > 0 ? Path.Combine(home, fallback) : Path.Combine(Path.GetTempPath(), $"marketplace-{Environment.UserName}");
    }
}
