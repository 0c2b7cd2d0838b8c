// The adapter marketplace on Azure: storage, the function app, the kernels' container app, identities, roles, monitoring, alerts, budget.
// All modules are local: nothing is fetched when this compiles. check.sh compiles and lints every file and predicts what would be
// deployed, and tests look at that; a deployment was not run where these files were written, so expect to adjust quotas and regions.
//
// There is no Key Vault because there is no secret: storage, registry and telemetry are reached with identities, signed addresses with
// keys that storage delegates to them, and the first administrator comes with a token of Entra ID.
targetScope = 'subscription'

import { Size } from 'sizes.bicep'

@description('Name of this environment, such as dev; part of every resource name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Region of all resources.')
param location string

@description('How large it is.')
param size Size

@description('Image of the kernels; a placeholder is deployed, and never started by work, until there is one.')
param kernelsImage string = ''

@description('Id of the tenant whose people and applications may use the API with tokens.')
param entraTenant string = tenant().tenantId

@description('Application registration that stands for the API, by its client id; infra/hooks/app-roles.json has its roles. Empty for API keys alone.')
param entraAudience string = ''

@description('Object id of the person or application that is the first admin of the API, by its tokens; empty for nobody.')
param adminIdentity string = ''

@description('Object id of a person or group who may read and write the data past the API; empty for nobody, as production should be.')
param principalId string = ''

@description('Kind of the principal above.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

@description('Who gets mails about alerts and the budget.')
param alertEmails string[] = []

@description('First day of the month that the budget begins with, as in 2026-12-01; empty for this month. It has to stay what it was at the first deployment.')
param budgetStart string = ''

@description('This month. Not to be set.')
param thisMonth string = utcNow('yyyy-MM-01')

@description('Networks that may call the API, such as 192.0.2.0/24; empty for all.')
param allowedNetworks string[] = []

@description('Further settings of the function app by name, such as Marketplace__MaxActiveJobs. Never a secret.')
param functionsSettings { *: string } = {}

// Names are computed here, not handed back by modules: what-if can then tell what a deployment would change.
var suffix = uniqueString(subscription().id, environmentName, location)
var functionsName = 'func-marketplace-${suffix}'
var functionsIdentityName = 'id-marketplace-functions-${environmentName}'
var kernelsIdentityName = 'id-marketplace-kernels-${environmentName}'
var workspaceName = 'log-marketplace-${environmentName}'
var insightsName = 'appi-marketplace-${environmentName}'
var storageName = 'st${suffix}'
var registryName = 'cr${suffix}'
var registryServer = '${registryName}${environment().suffixes.acrLoginServer}'
var kernelsQueue = 'kernel-jobs'
var tags = { 'azd-env-name': environmentName }

// What kernels/KernelIdentity.cs calls Formulas. Results made by others are not taken for the same.
var kernelFormulas = 2

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
    workspaceName: workspaceName
    insightsName: insightsName
    location: location
    tags: tags
    retentionInDays: size.logRetentionDays
    dailyCapGb: size.logDailyCapGb
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  dependsOn: [monitoring]
  params: {
    name: storageName
    location: location
    tags: tags
    sku: size.storageSku
    stagingDays: size.stagingDays
    softDeleteDays: size.softDeleteDays
    logWrites: size.storageLogs
    workspaceName: workspaceName
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: {
    name: registryName
    location: location
    tags: tags
    sku: size.registrySku
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
    kernelsQueue: kernelsQueue
    personPrincipalId: principalId
    personPrincipalType: principalType
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  dependsOn: [rbac]
  params: {
    name: functionsName
    location: location
    tags: tags
    identityName: functionsIdentityName
    storageName: storageName
    insightsName: insightsName
    kernel: '${kernelFormulas} ${size.kernelsDevice}'
    entraTenant: empty(entraAudience) ? '' : entraTenant
    entraAudience: entraAudience
    adminIdentity: adminIdentity
    maxInstances: size.functionsMaxInstances
    instanceMemoryMB: size.functionsMemoryMB
    alwaysReady: size.functionsAlwaysReady
    httpConcurrency: size.functionsHttpConcurrency
    zoneRedundant: size.zoneRedundant
    allowedNetworks: allowedNetworks
    moreSettings: functionsSettings
  }
}

module kernels 'modules/kernels.bicep' = {
  scope: group
  dependsOn: [rbac]
  params: {
    environmentName: 'cae-marketplace-${environmentName}'
    name: 'ca-kernels-${environmentName}'
    location: location
    tags: tags
    image: kernelsImage
    device: size.kernelsDevice
    gpuProfile: size.kernelsGpu
    queueName: kernelsQueue
    maxReplicas: size.kernelsMaxReplicas
    identityName: kernelsIdentityName
    storageName: storageName
    registryServer: registryServer
    workspaceName: workspaceName
    insightsName: insightsName
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  dependsOn: [monitoring]
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    workspaceName: workspaceName
    insightsName: insightsName
    emails: alertEmails
    availabilityTest: size.availabilityTest
    url: functions.outputs.url
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  dependsOn: [monitoring]
  params: {
    title: 'Adapter marketplace (${environmentName})'
    workspaceName: workspaceName
    location: location
    tags: tags
  }
}

module budget 'modules/budget.bicep' = if (size.budget > 0 && !empty(alertEmails)) {
  scope: group
  params: {
    name: 'marketplace-${environmentName}'
    amount: size.budget
    startDate: empty(budgetStart) ? thisMonth : budgetStart
    emails: alertEmails
  }
}

@description('Address of the API.')
output MARKETPLACE_URL string = functions.outputs.url

@description('Registry that the kernels\' image is pushed to.')
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registryServer

@description('Storage account of the marketplace.')
output AZURE_STORAGE_ACCOUNT string = storageName

@description('Device that the kernels\' image is built for.')
output MARKETPLACE_KERNELS_DEVICE string = size.kernelsDevice
