// The function app on Flex Consumption. Storage, deployment package and telemetry are all reached with its identity; no setting is a secret.
import { packageContainer } from 'storage.bicep'
import { storageSettings, hostStorageSettings, telemetrySettings } from 'settings.bicep'

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Name of the app\'s identity.')
param identityName string

@description('Name of the storage account.')
param storageName string

@description('Name of the Application Insights resource.')
param insightsName string

@description('Version of the kernels\' formulas and their device; part of every job\'s id.')
param kernel string

@description('Id of the tenant whose tokens are accepted; empty for API keys alone.')
param entraTenant string

@description('Client id of the application registration that tokens have to be for.')
param entraAudience string

@description('Object id of the identity that is the first admin; empty for nobody.')
param adminIdentity string

@description('Most instances at once.')
@minValue(40)
@maxValue(1000)
param maxInstances int

@description('Memory of an instance in MB.')
@allowed([2048, 4096])
param instanceMemoryMB int

@description('Instances that always wait for requests.')
@minValue(0)
param alwaysReady int

@description('Requests that one instance serves at a time.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('Whether instances are spread over availability zones.')
param zoneRedundant bool

@description('Networks that may call the API, such as 192.0.2.0/24; empty for all. Storage stays open to those who hold a signed address.')
param allowedNetworks string[]

@description('When unreferenced blobs are swept: seconds, minutes, hours, day, month, weekday.')
param sweepSchedule string = '0 15 * * * *'

@description('When libraries are clustered again.')
param reclusterSchedule string = '0 0 3 * * *'

@description('Bytes that a file of an upload may have. It has to fit into the temporary storage of an instance, about 0.8 GB, beside the cache; host.json has one message at a time there.')
@minValue(1)
param maxFileBytes int = 536870912

@description('Bytes a file sent inside a commit of the Hub\'s protocol may have.')
@minValue(1048576)
@maxValue(104857600)
param hubInlineBytes int = 104857600

@description('Bytes of published files that an instance keeps in its temporary storage.')
@minValue(0)
param cacheBytes int = 134217728

@description('Further settings of the code by name, such as Marketplace__MaxActiveJobs. Never a secret.')
param moreSettings { *: string } = {}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var suffix = environment().suffixes.storage
var clientId = identity.properties.clientId
var entraSettings = empty(entraTenant)
  ? {}
  : {
      Marketplace__Entra__Instance: environment().authentication.loginEndpoint
      Marketplace__Entra__TenantId: entraTenant
      Marketplace__Entra__Audience: entraAudience
      ...(empty(adminIdentity) ? {} : { Marketplace__AdminIdentity: adminIdentity })
    }

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

// No health check of the platform: Flex Consumption has none. alerts.bicep asks for /api/v1/health from outside instead.
resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'functions' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      ipSecurityRestrictions: [
        for (network, i) in allowedNetworks: {
          name: 'network-${i}'
          action: 'Allow'
          priority: 100 + i
          ipAddress: network
        }
      ]
      ipSecurityRestrictionsDefaultAction: empty(allowedNetworks) ? 'Allow' : 'Deny'
    }
    functionAppConfig: {
      runtime: {
        name: 'dotnet-isolated'
        version: '10.0'
      }
      // HTTP functions scale together; each queue and the timers scale by themselves.
      scaleAndConcurrency: {
        maximumInstanceCount: maxInstances
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReady == 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }]
        triggers: {
          http: { perInstanceConcurrency: httpConcurrency }
        }
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${storageName}.blob.${suffix}/${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: {
      ...moreSettings
      ...hostStorageSettings(storageName, suffix, clientId)
      ...storageSettings(storageName, suffix, clientId)
      ...telemetrySettings(insights.properties.ConnectionString, clientId, 'marketplace-functions')
      ...entraSettings
      Storage__LocalCacheBytes: string(cacheBytes)
      Marketplace__Kernel: kernel
      // The platform's front end writes the client's address into X-Forwarded-For; without this all anonymous callers would count as one.
      Marketplace__Limits__TrustedProxies: '1'
      Marketplace__MaxFileBytes: string(maxFileBytes)
      // Commits of Hub clients carry files in base64, and a request may have 210 MB; the host's own limit is half of that.
      Marketplace__HubInlineBytes: string(hubInlineBytes)
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '210000000'
      Marketplace__SweepSchedule: sweepSchedule
      Marketplace__ReclusterSchedule: reclusterSchedule
    }
  }

  resource ftpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scmPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

@description('Address of the API.')
output url string = 'https://${app.properties.defaultHostName}'
