// Blobs, queues and tables of the marketplace. No account keys: every access is by identity, uploads and downloads by
// user-delegation SAS. The names are those that shared/Storage uses; it finds them here instead of creating them.
import { StorageEndpoints } from 'types.bicep'

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Redundancy.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param sku string = 'Standard_ZRS'

@description('Containers: content is immutable by digest, staging holds open uploads, derived can be computed again.')
param containers string[] = ['content', 'staging', 'derived', 'reports', 'snapshots']

@description('Queues; each gets a -poison twin.')
param queues string[] = ['validations', 'functions-jobs', 'kernel-jobs']

@description('Tables.')
param tables string[] = [
  'adapters'
  'audit'
  'basemodels'
  'contents'
  'identities'
  'jobs'
  'keys'
  'libraries'
  'publishers'
  'secrets'
  'snapshots'
  'tags'
  'uploads'
  'usage'
  'versions'
]

@description('Days after which what lies in staging is deleted, whatever became of the upload.')
@minValue(1)
param stagingDays int = 7

@description('Days that a deleted blob can be restored.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 7

var packageContainerName = 'packages'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled' // clients upload and download with SAS
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in [...containers, packageContainerName]: {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  dependsOn: [blobContainers]
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-staging'
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['staging/']
            }
            actions: {
              baseBlob: {
                delete: { daysAfterModificationGreaterThan: stagingDays }
              }
            }
          }
        }
      ]
    }
  }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource messageQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [
  for queue in flatten(map(queues, queue => [queue, '${queue}-poison'])): {
    parent: queueService
    name: queue
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource dataTables 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [
  for table in tables: {
    parent: tableService
    name: table
  }
]

@description('Service addresses.')
output endpoints StorageEndpoints = {
  blob: account.properties.primaryEndpoints.blob
  queue: account.properties.primaryEndpoints.queue
  table: account.properties.primaryEndpoints.table
}

@description('Address of the container that deployments of the function app are put in.')
output packageContainer string = '${account.properties.primaryEndpoints.blob}${packageContainerName}'
