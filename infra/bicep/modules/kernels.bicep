// The kernels: a container app without ingress that scales on the length of its queue, to zero while there is no work.
import { Identity, StorageEndpoints, storageSettings } from 'types.bicep'

@description('Name of the environment.')
param environmentName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Image to run.')
param image string

@description('cpu, or cuda for a GPU workload profile.')
@allowed(['cpu', 'cuda'])
param device string

@description('GPU workload profile; used with cuda only.')
@allowed(['Consumption-GPU-NC8as-T4', 'Consumption-GPU-NC24-A100'])
param gpuProfile string = 'Consumption-GPU-NC8as-T4'

@description('Queue that merge and evaluation jobs arrive on.')
param queueName string = 'kernel-jobs'

@description('Waiting messages for which one more replica starts. A job takes minutes, so each gets its own.')
@minValue(1)
param messagesPerReplica int = 1

@description('Most replicas at once.')
@minValue(1)
param maxReplicas int

@description('Seconds a replica may take to put its job down when it is told to stop.')
@minValue(30)
@maxValue(600)
param stopSeconds int = 120

@description('Identity of the kernels.')
param identity Identity

@description('Name of the storage account, for the scale rule.')
param storageName string

@description('Where the marketplace\'s data is.')
param storage StorageEndpoints

@description('Registry of the image.')
param registryServer string

@description('Resource id of the log workspace.')
param workspaceId string

@description('Where telemetry goes.')
param insightsConnectionString string

var gpu = device == 'cuda'
var resources = gpu
  ? (gpuProfile == 'Consumption-GPU-NC8as-T4'
      ? { cpu: json('8'), memory: '56Gi' }
      : { cpu: json('24'), memory: '220Gi' })
  : { cpu: json('4'), memory: '8Gi' }
var settings = union(storageSettings(storage, identity.clientId), {
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
  Marketplace__Kernels__Device: device
})

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: 'cae-marketplace-${environmentName}'
  location: location
  tags: tags
  properties: {
    appLogsConfiguration: { destination: 'azure-monitor' } // by the diagnostic setting below, which needs no workspace key
    workloadProfiles: concat(
      [{ name: 'Consumption', workloadProfileType: 'Consumption' }],
      gpu ? [{ name: 'gpu', workloadProfileType: gpuProfile }] : []
    )
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: environment
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: 'ca-kernels-${environmentName}'
  location: location
  tags: union(tags, { 'azd-service-name': 'kernels' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: gpu ? 'gpu' : 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: identity.id }]
    }
    template: {
      terminationGracePeriodSeconds: stopSeconds
      containers: [
        {
          name: 'kernels'
          image: image
          resources: resources
          env: map(items(settings), setting => { name: setting.key, value: setting.value })
        }
      ]
      scale: {
        minReplicas: 0
        maxReplicas: maxReplicas
        rules: [
          {
            name: 'queue-length'
            azureQueue: {
              accountName: storageName
              queueName: queueName
              queueLength: messagesPerReplica
              identity: identity.id
            }
          }
        ]
      }
    }
  }
}

@description('Name of the container app.')
output name string = app.name
