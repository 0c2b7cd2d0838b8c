// Settings that both processes read.

@description('By which a process reaches storage with its identity instead of a key. The bicep files create what the code would create, and the kernels have no right to.')
@export()
func storageSettings(account string, suffix string, clientId string) object => {
  Storage__BlobServiceUri: 'https://${account}.blob.${suffix}/'
  Storage__QueueServiceUri: 'https://${account}.queue.${suffix}/'
  Storage__TableServiceUri: 'https://${account}.table.${suffix}/'
  Storage__ManagedIdentityClientId: clientId
  Storage__CreateMissing: 'false'
}

@description('The same for the Functions host, which keeps its leases there and listens to the queues.')
@export()
func hostStorageSettings(account string, suffix string, clientId string) object => {
  AzureWebJobsStorage__blobServiceUri: 'https://${account}.blob.${suffix}/'
  AzureWebJobsStorage__queueServiceUri: 'https://${account}.queue.${suffix}/'
  AzureWebJobsStorage__tableServiceUri: 'https://${account}.table.${suffix}/'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
}

@description('Where telemetry goes, under which name, and that it is sent with the identity.')
@export()
func telemetrySettings(connectionString string, clientId string, service string) object => {
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
  AZURE_CLIENT_ID: clientId
  OTEL_SERVICE_NAME: service
}
