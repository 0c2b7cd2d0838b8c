// Every role assignment of the marketplace. Names are derived from scope, principal and role, so a deployment can be repeated.
import { containers, queues, tables, stagingContainer, tablesOfTheApi } from 'storage.bicep'

@description('Storage account.')
param storageName string

@description('Application Insights resource.')
param insightsName string

@description('Container registry.')
param registryName string

@description('Identity of the function app.')
param functionsIdentityName string

@description('Identity of the kernels.')
param kernelsIdentityName string

@description('Queue that the kernels take jobs from.')
param kernelsQueue string

@description('Object id of a person or group who may read and write the data; empty for nobody.')
param personPrincipalId string

@description('Kind of that principal.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param personPrincipalType string

// Built-in roles: the same ids in every tenant.
var roles = {
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // what the Functions host asks for: leases, packages; it includes keys for user-delegation SAS
  queueContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  registryPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
}

// The kernels get single containers, queues and tables: neither API keys and identities, nor what ids of jobs are made with, nor open uploads, nor the packages that the function app
// is started from, which would make a hole in the kernels one in everything. They sign no addresses.
var kernelsContainers = filter(containers, name => name != stagingContainer)
var kernelsTables = filter(tables, name => !contains(tablesOfTheApi, name))
var kernelsQueues = filter(queues, name => startsWith(name, kernelsQueue))

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = { name: 'default' }
  resource messages 'queueServices' existing = { name: 'default' }
  resource rows 'tableServices' existing = { name: 'default' }
}

resource kernelsContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = [
  for name in kernelsContainers: {
    parent: storage::blobs
    name: name
  }
]

resource kernelsQueueScope 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' existing = [
  for name in kernelsQueues: {
    parent: storage::messages
    name: name
  }
]

resource kernelsTable 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' existing = [
  for name in kernelsTables: {
    parent: storage::rows
    name: name
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource functions 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: functionsIdentityName
}

resource kernels 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: kernelsIdentityName
}

resource functionsStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [roles.blobOwner, roles.queueContributor, roles.tableContributor]: {
    name: guid(storage.id, functions.id, role)
    scope: storage
    properties: {
      principalId: functions.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource kernelsBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in kernelsContainers: {
    name: guid(kernelsContainer[i].id, kernels.id, roles.blobContributor)
    scope: kernelsContainer[i]
    properties: {
      principalId: kernels.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobContributor)
    }
  }
]

// The scale rule reads the queue's length with the same role.
resource kernelsMessages 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in kernelsQueues: {
    name: guid(kernelsQueueScope[i].id, kernels.id, roles.queueContributor)
    scope: kernelsQueueScope[i]
    properties: {
      principalId: kernels.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueContributor)
    }
  }
]

resource kernelsRows 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in kernelsTables: {
    name: guid(kernelsTable[i].id, kernels.id, roles.tableContributor)
    scope: kernelsTable[i]
    properties: {
      principalId: kernels.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.tableContributor)
    }
  }
]

resource personStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in (empty(personPrincipalId) ? [] : [roles.blobContributor, roles.queueContributor, roles.tableContributor]): {
    name: guid(storage.id, personPrincipalId, role)
    scope: storage
    properties: {
      principalId: personPrincipalId
      principalType: personPrincipalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource functionsTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, functions.id, roles.metricsPublisher)
  scope: insights
  properties: {
    principalId: functions.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.metricsPublisher)
  }
}

resource kernelsTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, kernels.id, roles.metricsPublisher)
  scope: insights
  properties: {
    principalId: kernels.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.metricsPublisher)
  }
}

resource kernelsImage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, kernels.id, roles.registryPull)
  scope: registry
  properties: {
    principalId: kernels.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.registryPull)
  }
}
