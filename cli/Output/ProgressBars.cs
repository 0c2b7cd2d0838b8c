using Spectre.Console;

namespace Marketplace.Cli.Output;

/// <summary>Progress bars on standard error while work runs; without a terminal the same work runs without them.</summary>
internal sealed class ProgressBars
{
    private readonly ProgressContext? context;

    private ProgressBars(ProgressContext? context) => this.context = context;

    /// <summary>Runs <paramref name="work"/> with bars.</summary>
    public static async Task<T> Run<T>(Terminal terminal, bool bytes, Func<ProgressBars, Task<T>> work)
    {
        if (!terminal.ShowsProgress)
            return await work(new ProgressBars(null));
        ProgressColumn[] columns = bytes
            ? [new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn()]
            : [new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn()];
        return await terminal.Error.Progress().AutoClear(true).Columns(columns).StartAsync(c => work(new ProgressBars(c)));
    }

    /// <summary>Adds a bar.</summary>
    public Bar Add(string title, long total) =>
        new(context?.AddTask(Markup.Escape(title), maxValue: Math.Max(1, total)));

    /// <summary>One bar.</summary>
    internal sealed class Bar(ProgressTask? task)
    {
        /// <summary>Moves the bar to <paramref name="done"/>.</summary>
        public void Report(long done)
        {
            if (task is not null)
                task.Value = done;
        }

        /// <summary>Moves the bar, whose length may have become known only now.</summary>
        public void Report(long done, long total, string title)
        {
            if (task is null)
                return;
            task.MaxValue = Math.Max(1, total);
            task.Value = done;
            task.Description = Markup.Escape(title);
        }
    }
}
