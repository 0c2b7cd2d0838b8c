namespace Marketplace.Core.Api;

/// <summary>Something that was done.</summary>
/// <param name="At">When.</param>
/// <param name="Actor">The account that did it; <c>$service</c> for what the service does by itself.</param>
/// <param name="Via">With which key (<c>key:ID</c>) or identity, or which queue or timer called.</param>
/// <param name="Action">What was done: <c>publish</c>, <c>takedown</c>, <c>create-key</c> …</param>
/// <param name="Subject">To what: <c>owner/name</c>, <c>owner/name@number</c>, <c>jobs/ID</c> …</param>
/// <param name="Detail">More about it.</param>
public sealed record AuditEventView(DateTimeOffset At, string Actor, string? Via, string Action, string Subject, string? Detail);
