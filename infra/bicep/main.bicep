// The adapter marketplace on Azure: storage, the function app, the kernels' container app, identities, roles, monitoring.
// All modules are local: nothing is fetched when this compiles. check.sh compiles and lints every file; a deployment was not
// run where these files were written, so expect to adjust quotas, regions and SKUs on the first one.
targetScope = 'subscription'

@description('Name of this environment, such as dev; part of every resource name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Region of all resources.')
param location string

@description('Object id of a person or group who may read and write the data, such as the developer; empty for nobody.')
param principalId string = ''

@description('Kind of the principal above.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

@description('Image of the kernels; the placeholder runs until the first deployment pushes one.')
param kernelsImage string = 'mcr.microsoft.com/k8se/quickstart:latest'

@description('Device the kernels compute on. cuda needs an image built with TORCH_DEVICE=cuda and GPU quota in the region.')
@allowed(['cpu', 'cuda'])
param kernelsDevice string = 'cpu'

@description('Most replicas of the kernels at once; there are none while their queue is empty.')
@minValue(1)
@maxValue(30)
param kernelsMaxReplicas int = 4

@description('Most instances of the function app at once.')
@minValue(40)
@maxValue(1000)
param functionsMaxInstances int = 40

@description('Token of the first administrator key, needed for the first start only; empty to set none.')
@secure()
param adminKey string = ''

// Names are computed here, not handed back by modules: what-if can then tell what a deployment would change.
var suffix = uniqueString(subscription().id, environmentName, location)
var functionsIdentityName = 'id-marketplace-functions-${environmentName}'
var kernelsIdentityName = 'id-marketplace-kernels-${environmentName}'
var insightsName = 'appi-marketplace-${environmentName}'
var storageName = 'st${suffix}'
var registryName = 'cr${suffix}'
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-marketplace-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    functionsName: functionsIdentityName
    kernelsName: kernelsIdentityName
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    workspaceName: 'log-marketplace-${environmentName}'
    insightsName: insightsName
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    name: storageName
    location: location
    tags: tags
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: {
    name: registryName
    location: location
    tags: tags
  }
}

module rbac 'modules/rbac.bicep' = {
  scope: group
  dependsOn: [identity, monitoring, storage, registry]
  params: {
    storageName: storageName
    insightsName: insightsName
    registryName: registryName
    functionsIdentityName: functionsIdentityName
    kernelsIdentityName: kernelsIdentityName
    personPrincipalId: principalId
    personPrincipalType: principalType
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  dependsOn: [rbac]
  params: {
    name: 'func-marketplace-${suffix}'
    location: location
    tags: tags
    identity: identity.outputs.functions
    storage: storage.outputs.endpoints
    packageContainer: storage.outputs.packageContainer
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    kernel: '1 ${kernelsDevice}'
    maxInstances: functionsMaxInstances
    adminKey: adminKey
  }
}

module kernels 'modules/kernels.bicep' = {
  scope: group
  dependsOn: [rbac]
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    image: kernelsImage
    device: kernelsDevice
    maxReplicas: kernelsMaxReplicas
    identity: identity.outputs.kernels
    storageName: storageName
    storage: storage.outputs.endpoints
    registryServer: registry.outputs.server
    workspaceId: monitoring.outputs.workspaceId
    insightsConnectionString: monitoring.outputs.insightsConnectionString
  }
}

@description('Address of the API.')
output MARKETPLACE_URL string = functions.outputs.url

@description('Registry that the kernels image is pushed to.')
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.server

@description('Storage account of the marketplace.')
output AZURE_STORAGE_ACCOUNT string = storageName
