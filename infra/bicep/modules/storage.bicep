// Blobs, queues and tables of the marketplace. No account keys: every access is by identity, uploads and downloads by
// user-delegation SAS. The names are those that shared/Storage uses; it finds them here instead of creating them, and a test compares.

@description('Containers: content is immutable by digest; derived and sketches can be computed again; reports, snapshots, collections, routers and evaluations can\'t.')
@export()
var containers = [
  'collections'
  'content'
  'derived'
  'evaluations'
  'reports'
  'routers'
  'sketches'
  'snapshots'
  stagingContainer
]

@description('Container of open uploads.')
@export()
var stagingContainer = 'staging'

@description('Queues that carry work, each with the queue that its messages go to after too many deliveries.')
@export()
var queues = flatten(map(['functions-jobs', 'kernel-jobs', 'validations'], name => [name, '${name}-poison']))

@description('Tables.')
@export()
var tables = [
  'adapters'
  'arrivals'
  'audit'
  'basemodels'
  'collections'
  'contents'
  'deletions'
  'descendants'
  'evaluations'
  'evaluationsets'
  'evaluationsetversions'
  'identities'
  'jobs'
  'keys'
  'lfsobjects'
  'libraries'
  'publishers'
  'repositories'
  'secrets'
  'snapshots'
  'subspaces'
  'tags'
  'takedowns'
  'uploads'
  'usage'
  'variants'
  'versions'
]

@description('Tables that concern the API alone: keys as digests, who is bound to which account, what was committed and is no version yet, whose staged objects are, what ids of jobs are made with, open uploads.')
@export()
var tablesOfTheApi = ['identities', 'keys', 'lfsobjects', 'repositories', 'secrets', 'uploads']

@description('Container that deployments of the function app are put in.')
@export()
var packageContainer = 'packages'

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
param sku string

@description('Days after which what lies in staging is deleted, whatever became of the upload.')
@minValue(1)
param stagingDays int

@description('Days that a deleted blob or container can be restored.')
@minValue(1)
@maxValue(365)
param softDeleteDays int

@description('Whether writes and deletions are logged.')
param logWrites bool

@description('Name of the log workspace.')
param workspaceName string

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
    publicNetworkAccess: 'Enabled' // clients upload and download with SAS, which are https only, of one blob, and short-lived
  }
}

// Soft delete, and no versions: content is written once under its digest, what is overwritten elsewhere (packs of sketches, the host's
// leases) is not worth keeping, and point-in-time restore, which needs versions, would not bring back the tables that name the blobs.
// No CORS: no browser talks to storage.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in [...containers, packageContainer]: {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

// Only staging: whether other blobs are still needed is known from tables alone, and the sweep looks there.
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
              prefixMatch: ['${stagingContainer}/']
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
  for queue in queues: {
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

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

// Not of queues: their messages are ids of rows, and a job would be three entries.
var writeLogs = [
  { category: 'StorageWrite', enabled: true }
  { category: 'StorageDelete', enabled: true }
]

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (logWrites) {
  name: 'writes'
  scope: blobs
  properties: {
    workspaceId: workspace.id
    logs: writeLogs
  }
}

resource tableLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (logWrites) {
  name: 'writes'
  scope: tableService
  properties: {
    workspaceId: workspace.id
    logs: writeLogs
  }
}
