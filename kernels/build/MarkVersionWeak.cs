#nullable enable
using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Marks one needed symbol version of ELF libraries as weak where the host's libstdc++.so.6 lacks it. Compiled by the build
/// (LibTorchSharp.targets says why), against netstandard2.0. Layouts: System V ABI, "Symbol Versioning" (Verneed, Vernaux).
/// </summary>
public sealed class MarkVersionWeak : Task
{
    private const string Marker = "_ZSt21ios_base_library_initv"; // std::ios_base_library_init()
    private const ushort WeakFlag = 2; // VER_FLG_WEAK
    private const uint DynamicSymbols = 11, NeededVersions = 0x6ffffffe, SymbolVersions = 0x6fffffff; // section types

    /// <summary>The libraries in an output folder.</summary>
    [Required]
    public ITaskItem[] Files { get; set; } = Array.Empty<ITaskItem>();

    /// <summary>The needed version, such as GLIBCXX_3.4.32.</summary>
    [Required]
    public string Version { get; set; } = "";

    public override bool Execute()
    {
        if (HostHasVersion())
            return true;
        foreach (var file in Files)
        {
            if (File.Exists(file.ItemSpec))
                Mark(file.ItemSpec);
        }
        return !Log.HasLoggedErrors;
    }

    private bool HostHasVersion()
    {
        var library = dlopen("libstdc++.so.6", 1);
        return library != IntPtr.Zero && dlvsym(library, Marker, Version) != IntPtr.Zero;
    }

    private void Mark(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < 64 || BitConverter.ToUInt32(bytes, 0) != 0x464c457f || bytes[4] != 2 || bytes[5] != 1)
        {
            Log.LogError("{0} is not a 64-bit little-endian ELF file.", path);
            return;
        }
        var aux = FindVernaux(bytes, out var index);
        if (aux < 0 || (bytes[aux + 4] & WeakFlag) != 0)
            return;
        if (OtherSymbolBehind(bytes, index) is { } symbol)
        {
            Log.LogError("{0} uses {1} of {2}, which this host's libstdc++ lacks: it needs GCC 13's libstdc++ or newer.", path, symbol, Version);
            return;
        }
        var written = File.GetLastWriteTimeUtc(path);
        var beside = path + "." + Guid.NewGuid().ToString("N");
        try
        {
            File.Copy(path, beside); // keeps the mode; a new file, where the original may be a hard link into the package cache
            bytes[aux + 4] |= (byte)WeakFlag;
            File.WriteAllBytes(beside, bytes);
            File.SetLastWriteTimeUtc(beside, written);
            File.Replace(beside, path, null); // rename(2)
        }
        finally
        {
            File.Delete(beside);
        }
        Log.LogMessage(MessageImportance.Normal, "{0}: marked {1} weak, because this host's libstdc++ lacks it.", path, Version);
    }

    /// <summary>Offset of the Vernaux entry that needs <see cref="Version"/>, or -1; and the index that symbols refer to it by.</summary>
    private int FindVernaux(byte[] elf, out ushort index)
    {
        index = 0;
        var section = Section(elf, NeededVersions);
        if (section < 0)
            return -1;
        var names = Offset(elf, Linked(elf, section));
        var need = Offset(elf, section);
        for (var needs = Int(elf, section + 44); needs > 0; needs--) // sh_info: number of Verneed entries
        {
            var aux = need + Int(elf, need + 8); // vn_aux
            for (int count = BitConverter.ToUInt16(elf, need + 2); count > 0; count--) // vn_cnt
            {
                if (Text(elf, names + Int(elf, aux + 8)) == Version) // vna_name
                {
                    index = BitConverter.ToUInt16(elf, aux + 6); // vna_other
                    return aux;
                }
                aux += Int(elf, aux + 12); // vna_next
            }
            need += Int(elf, need + 12); // vn_next
        }
        return -1;
    }

    /// <summary>A symbol of that version other than the marker: then the version is truly needed.</summary>
    private static string? OtherSymbolBehind(byte[] elf, ushort index)
    {
        var versions = Section(elf, SymbolVersions);
        var symbols = Section(elf, DynamicSymbols);
        var names = Offset(elf, Linked(elf, symbols));
        var count = (int)(BitConverter.ToInt64(elf, versions + 32) / 2);
        for (var i = 0; i < count; i++)
        {
            if (BitConverter.ToUInt16(elf, Offset(elf, versions) + (2 * i)) != index)
                continue;
            var name = Text(elf, names + Int(elf, Offset(elf, symbols) + (24 * i)));
            if (name != Marker)
                return name;
        }
        return null;
    }

    /// <summary>Offset of the first section header of that type, or -1.</summary>
    private static int Section(byte[] elf, uint type)
    {
        for (var i = 0; i < BitConverter.ToUInt16(elf, 60); i++)
        {
            var header = Header(elf, i);
            if (BitConverter.ToUInt32(elf, header + 4) == type)
                return header;
        }
        return -1;
    }

    private static int Header(byte[] elf, int section) =>
        checked((int)BitConverter.ToInt64(elf, 40) + (section * BitConverter.ToUInt16(elf, 58)));

    private static int Linked(byte[] elf, int header) => Header(elf, Int(elf, header + 40)); // sh_link

    private static int Offset(byte[] elf, int header) => checked((int)BitConverter.ToInt64(elf, header + 24)); // sh_offset

    private static int Int(byte[] elf, int offset) => BitConverter.ToInt32(elf, offset);

    private static string Text(byte[] elf, int offset) => Encoding.ASCII.GetString(elf, offset, Array.IndexOf(elf, (byte)0, offset) - offset);

    [DllImport("libdl.so.2")]
    private static extern IntPtr dlopen(string file, int mode);

    [DllImport("libdl.so.2")]
    private static extern IntPtr dlvsym(IntPtr library, string symbol, string version);
}
