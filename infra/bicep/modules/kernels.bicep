// The kernels: a container app without ingress that scales on the length of its queue, to zero while there is no work.
import { storageSettings, telemetrySettings } from 'settings.bicep'

@description('Name of the environment of container apps.')
param environmentName string

@description('Name of the app.')
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Image to run; empty until the first deployment has pushed one.')
param image string

@description('cpu, or cuda for a GPU workload profile.')
@allowed(['cpu', 'cuda'])
param device string

@description('GPU workload profile; used with cuda only.')
@allowed(['Consumption-GPU-NC8as-T4', 'Consumption-GPU-NC24-A100'])
param gpuProfile string

@description('Queue that merges, evaluations and compositions arrive on.')
param queueName string

@description('Waiting messages for which one more replica starts. A job takes minutes, so each gets its own.')
@minValue(1)
param messagesPerReplica int = 1

@description('Most replicas at once.')
@minValue(1)
param maxReplicas int

@description('Seconds between two looks at the queue while no replica runs.')
@minValue(1)
param pollingSeconds int = 30

@description('Seconds without work after which the last replica goes. Starting one takes a minute or more, a GPU second costs little.')
@minValue(0)
param coolDownSeconds int = 300

@description('Seconds a replica may take to put its job down when it is told to stop. What it had begun comes again after the message\'s lease.')
@minValue(30)
@maxValue(600)
param stopSeconds int = 60

@description('Bytes of the 8 GiB of temporary storage that base models may take.')
param modelBytes int = 5368709120

@description('Bytes of it that published adapters may take. The rest is for the files of the job.')
param cacheBytes int = 1073741824

@description('Name of the kernels\' identity.')
param identityName string

@description('Name of the storage account.')
param storageName string

@description('Host name of the image\'s registry.')
param registryServer string

@description('Name of the log workspace.')
param workspaceName string

@description('Name of the Application Insights resource.')
param insightsName string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

var placeholder = 'mcr.microsoft.com/k8se/quickstart:latest'
var gpu = device == 'cuda'
var resources = !gpu
  ? { cpu: json('4'), memory: '8Gi' }
  : gpuProfile == 'Consumption-GPU-NC8as-T4' ? { cpu: json('8'), memory: '56Gi' } : { cpu: json('24'), memory: '220Gi' }
var clientId = identity.properties.clientId
var port = 8080
// What has more than one virtual CPU gets 8 GiB of temporary storage, and no share can be mounted in its stead: SMB shares take account keys.
var scratch = '/scratch'
var settings = {
  ...storageSettings(storageName, environment().suffixes.storage, clientId)
  ...telemetrySettings(insights.properties.ConnectionString, clientId, 'marketplace-kernels')
  ASPNETCORE_HTTP_PORTS: string(port)
  TMPDIR: scratch
  Storage__LocalModelBytes: string(modelBytes)
  Storage__LocalCacheBytes: string(cacheBytes)
  Marketplace__Kernels__Device: device
}

resource managedEnvironment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: environmentName
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
  scope: managedEnvironment
  properties: {
    workspaceId: workspace.id
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'kernels' })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    environmentId: managedEnvironment.id
    workloadProfileName: gpu ? 'gpu' : 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: identity.id }]
    }
    template: {
      terminationGracePeriodSeconds: stopSeconds
      volumes: [{ name: 'scratch', storageType: 'EmptyDir' }]
      containers: [
        {
          name: 'kernels'
          image: empty(image) ? placeholder : image
          resources: resources
          env: map(items(settings), setting => { name: setting.key, value: setting.value })
          volumeMounts: [{ volumeName: 'scratch', mountPath: scratch }]
          // A job may keep every core busy: the probe is patient, and only says that the process is gone or stuck.
          probes: empty(image)
            ? []
            : [
                {
                  type: 'Startup'
                  httpGet: { path: '/health', port: port }
                  periodSeconds: 5
                  timeoutSeconds: 5
                  failureThreshold: 24
                }
                {
                  type: 'Liveness'
                  httpGet: { path: '/health', port: port }
                  periodSeconds: 30
                  timeoutSeconds: 20
                  failureThreshold: 5
                }
              ]
        }
      ]
      scale: {
        minReplicas: 0
        maxReplicas: maxReplicas
        pollingInterval: pollingSeconds
        cooldownPeriod: coolDownSeconds
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
