using System.Globalization;
using System.Text;
using System.Text.Json;
using Marketplace.Cli.Local;
using Marketplace.Core;
using Marketplace.Core.Api;

namespace Marketplace.Cli.Publishing;

/// <summary>
/// What an interrupted publish leaves for the next run: the upload's ticket and the blocks that storage acknowledged, one line each.
/// The signed addresses permit writing only, so storage can't be asked which blocks it holds; this file knows. If it is wrong,
/// committing the blocks fails and the file is sent again.
/// </summary>
internal sealed class UploadJournal : IDisposable
{
    private readonly HashSet<string> acknowledged = new(StringComparer.Ordinal);
    private readonly FileStream file;
    private readonly Lock gate = new();

    private UploadJournal(FileStream file) => this.file = file;

    /// <summary>The upload in progress; null for a new one.</summary>
    public UploadTicket? Ticket { get; private set; }

    /// <summary>Where the journal of one adapter and content at one service is.</summary>
    /// <param name="key">Tells apart what is published, where, and how.</param>
    public static string PathFor(string key) =>
        Path.Combine(StateFolder.Subfolder("uploads"), Digest.Of(Encoding.UTF8.GetBytes(key)).Hex[..32] + ".journal");

    /// <summary>Opens or creates a journal.</summary>
    public static UploadJournal Open(string path)
    {
        FileStream file;
        try
        {
            file = PrivateFile.Open(path);
        }
        catch (IOException)
        {
            throw new CliException("busy", ExitCode.Refused, "Another process is publishing the same files to the same adapter.");
        }

        var journal = new UploadJournal(file);
        journal.Load();
        return journal;
    }

    /// <summary>Begins anew with <paramref name="ticket"/>.</summary>
    public void Start(UploadTicket ticket)
    {
        Reset();
        Ticket = ticket;
        Append(JsonSerializer.Serialize(ticket, ApiJson.Options));
    }

    /// <summary>Whether storage has acknowledged the block, or the whole file if <paramref name="block"/> is null.</summary>
    public bool Has(int fileIndex, int? block) => acknowledged.Contains(Entry(fileIndex, block));

    /// <summary>Storage has acknowledged the block, or the whole file if <paramref name="block"/> is null.</summary>
    public void Add(int fileIndex, int? block)
    {
        lock (gate)
        {
            if (acknowledged.Add(Entry(fileIndex, block)))
                Append(Entry(fileIndex, block));
        }
    }

    /// <summary>Storage does not have the file's blocks after all.</summary>
    public void Forget(int fileIndex)
    {
        lock (gate)
        {
            acknowledged.RemoveWhere(e => e.StartsWith($"{fileIndex}:", StringComparison.Ordinal));
            Append($"-{fileIndex}");
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Reset()
    {
        Ticket = null;
        acknowledged.Clear();
        file.SetLength(0);
    }

    /// <summary>The publish is over.</summary>
    public void Delete() => File.Delete(file.Name);

    public void Dispose() => file.Dispose();

    private static string Entry(int fileIndex, int? block) => string.Create(CultureInfo.InvariantCulture, $"{fileIndex}:{block}");

    private void Append(string line)
    {
        file.Seek(0, SeekOrigin.End);
        file.Write(Encoding.UTF8.GetBytes(line + "\n"));
        file.Flush();
    }

    private void Load()
    {
        using var reader = new StreamReader(file, Encoding.UTF8, leaveOpen: true);
        var text = reader.ReadToEnd();
        // A kill may tear the last line; what has no line feed was not acknowledged.
        var lines = text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0)
        {
            Reset();
            return;
        }

        try
        {
            Ticket = JsonSerializer.Deserialize<UploadTicket>(lines[0], ApiJson.Options);
        }
        catch (JsonException)
        {
            Reset();
            return;
        }

        foreach (var line in lines.Skip(1))
        {
            if (line.StartsWith('-'))
                acknowledged.RemoveWhere(e => e.StartsWith(line[1..] + ":", StringComparison.Ordinal));
            else
                acknowledged.Add(line);
        }

        if (lines.Length > 0 && text.Length > 0 && text[^1] != '\n')
            file.SetLength(Encoding.UTF8.GetByteCount(text[..(text.LastIndexOf('\n') + 1)]));
    }
}
