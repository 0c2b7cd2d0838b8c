// Every role assignment of the marketplace. Names are derived from scope, principal and role, so a deployment can be repeated.

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

@description('Object id of a person or group who may read and write the data; empty for nobody.')
param personPrincipalId string

@description('Kind of that principal.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param personPrincipalType string

// Built-in roles: the same ids in every tenant.
var roles = {
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // includes asking for a user-delegation key
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // the Functions host takes leases and deployments with it
  queueContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  registryPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d'
}

var dataRoles = [roles.blobContributor, roles.queueContributor, roles.tableContributor]

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

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

resource kernelsStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in dataRoles: {
    name: guid(storage.id, kernels.id, role)
    scope: storage
    properties: {
      principalId: kernels.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource personStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in (empty(personPrincipalId) ? [] : dataRoles): {
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
