namespace Marketplace.Storage;

/// <summary>That an adapter was deleted: part of its row, and from that write on it exists for nobody.</summary>
/// <param name="At">When.</param>
/// <param name="By">The account that did it.</param>
/// <param name="Via">How it was ordered, for the audit, whoever finishes it.</param>
/// <param name="Through">No version of it, nor one that somebody is publishing just now, has a higher number; null until that is known.</param>
/// <param name="Done">Whether everything that belonged to it is gone, so that the name can be used anew.</param>
public sealed record DeletionMark(DateTimeOffset At, string By, string? Via, int? Through = null, bool Done = false);

/// <summary>What became of a wish to delete an adapter.</summary>
public abstract record DeletionOutcome
{
    private DeletionOutcome()
    {
    }

    /// <summary>It is gone.</summary>
    public sealed record Deleted : DeletionOutcome;

    /// <summary>There is none of that name.</summary>
    public sealed record NotFound : DeletionOutcome;

    /// <summary>It was taken down, and what is evidence stays.</summary>
    public sealed record TakenDown(TakedownMark Mark) : DeletionOutcome;
}
