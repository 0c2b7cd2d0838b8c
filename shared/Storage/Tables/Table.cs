using Azure;
using Azure.Data.Tables;
using Azure.Data.Tables.Models;

namespace Marketplace.Storage;

/// <summary>A table: point reads, server-side filters, and writes that the service arbitrates.</summary>
internal sealed class Table(TableClient client)
{
    /// <summary>Told of every row that was written or deleted, or perhaps was, before the writer goes on.</summary>
    public event Action<Key>? Written;

    public Task CreateAsync(CancellationToken ct) => client.CreateIfNotExistsAsync(ct);

    public async Task<TableEntity?> GetAsync(Key key, CancellationToken ct)
    {
        var found = await client.GetEntityIfExistsAsync<TableEntity>(key.Partition, key.Row, cancellationToken: ct);
        return found.HasValue ? found.Value : null;
    }

    /// <summary>Writes a new row; null if there is one already, else the new row's ETag.</summary>
    public async Task<ETag?> AddAsync(TableEntity entity, CancellationToken ct)
    {
        EntityLimits.Check(entity);
        try
        {
            var response = await client.AddEntityAsync(entity, ct);
            return response.Headers.ETag;
        }
        catch (RequestFailedException e) when (e.Status == 409 && e.ErrorCode == TableErrorCode.EntityAlreadyExists)
        {
            return null;
        }
        finally
        {
            Written?.Invoke(entity.Key());
        }
    }

    /// <summary>Replaces the row if nobody has written it since <paramref name="etag"/>.</summary>
    public async Task<UpdateResult> UpdateAsync(TableEntity entity, ETag etag, CancellationToken ct)
    {
        EntityLimits.Check(entity);
        try
        {
            await client.UpdateEntityAsync(entity, etag, TableUpdateMode.Replace, ct);
            return UpdateResult.Updated;
        }
        catch (RequestFailedException e) when (e.Status is 412 or 404)
        {
            return e.Status == 412 ? UpdateResult.Conflict : UpdateResult.NotFound;
        }
        finally
        {
            Written?.Invoke(entity.Key());
        }
    }

    public async Task PutAsync(TableEntity entity, CancellationToken ct)
    {
        EntityLimits.Check(entity);
        try
        {
            await client.UpsertEntityAsync(entity, TableUpdateMode.Replace, ct);
        }
        finally
        {
            Written?.Invoke(entity.Key());
        }
    }

    /// <summary>Writes rows of one partition together, or none of them; false if a row was there already, is gone, or was written meanwhile.</summary>
    public async Task<bool> TransactAsync(IReadOnlyList<TableTransactionAction> actions, CancellationToken ct)
    {
        foreach (var action in actions)
            EntityLimits.Check((TableEntity)action.Entity);
        try
        {
            await client.SubmitTransactionAsync(actions, ct);
            return true;
        }
        catch (TableTransactionFailedException e) when (e.Status is 404 or 409 or 412)
        {
            return false;
        }
        finally
        {
            foreach (var action in actions)
                Written?.Invoke(((TableEntity)action.Entity).Key());
        }
    }

    /// <summary>Deletes the row if nobody has written it since <paramref name="etag"/>.</summary>
    public async Task<UpdateResult> DeleteAsync(Key key, ETag etag, CancellationToken ct)
    {
        try
        {
            var response = await client.DeleteEntityAsync(key.Partition, key.Row, etag, ct);
            return response.Status == 404 ? UpdateResult.NotFound : UpdateResult.Updated;
        }
        catch (RequestFailedException e) when (e.Status is 412 or 404)
        {
            return e.Status == 412 ? UpdateResult.Conflict : UpdateResult.NotFound;
        }
        finally
        {
            Written?.Invoke(key);
        }
    }

    /// <summary>Deletes up to 100 rows of one partition at once, whoever has written them since; if one of them is gone, one by one.</summary>
    public async Task DeleteAllAsync(IReadOnlyList<TableEntity> entities, CancellationToken ct)
    {
        try
        {
            await client.SubmitTransactionAsync(entities.Select(e => new TableTransactionAction(TableTransactionActionType.Delete, e, ETag.All)), ct);
        }
        catch (TableTransactionFailedException e) when (e.Status == 404)
        {
            foreach (var entity in entities)
                await DeleteAsync(entity.Key(), ETag.All, ct);
        }
        finally
        {
            foreach (var entity in entities)
                Written?.Invoke(entity.Key());
        }
    }

    public IAsyncEnumerable<TableEntity> QueryAsync(string? filter, CancellationToken ct, int? pageSize = null) =>
        client.QueryAsync<TableEntity>(filter, pageSize, cancellationToken: ct);
}

/// <summary>Filters that the service evaluates.</summary>
internal static class Filter
{
    public static string Of(FormattableString filter) => TableClient.CreateQueryFilter(filter);

    public static string Partition(string partition) => Of($"PartitionKey eq {partition}");

    public static string After(Key key) => Of($"(PartitionKey gt {key.Partition} or (PartitionKey eq {key.Partition} and RowKey gt {key.Row}))");

    public static string All(params IEnumerable<string?> filters) => string.Join(" and ", filters.Where(f => f is not null).Select(f => $"({f})"));
}
