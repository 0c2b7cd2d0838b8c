// Shapes that modules hand to each other.

@description('A user-assigned identity.')
@export()
type Identity = {
  @description('Resource id.')
  id: string
  @description('Application id that a process names to use the identity.')
  clientId: string
}

@description('Service addresses of a storage account.')
@export()
type StorageEndpoints = {
  @description('Blob service.')
  blob: string
  @description('Queue service.')
  queue: string
  @description('Table service.')
  table: string
}

@description('Settings by which a process reaches storage with its identity instead of a key: first for the Functions host, then for the code.')
@export()
func storageSettings(endpoints StorageEndpoints, clientId string) object => {
  AzureWebJobsStorage__blobServiceUri: endpoints.blob
  AzureWebJobsStorage__queueServiceUri: endpoints.queue
  AzureWebJobsStorage__tableServiceUri: endpoints.table
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
  Storage__BlobServiceUri: endpoints.blob
  Storage__QueueServiceUri: endpoints.queue
  Storage__TableServiceUri: endpoints.table
  Storage__ManagedIdentityClientId: clientId
}
