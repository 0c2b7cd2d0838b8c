// The function app on Flex Consumption. Storage, deployment package and telemetry are all reached with its identity.
import { Identity, StorageEndpoints, storageSettings } from 'types.bicep'

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Identity of the app.')
param identity Identity

@description('Where the marketplace\'s data is.')
param storage StorageEndpoints

@description('Address of the blob container with the deployment package.')
param packageContainer string

@description('Where telemetry goes.')
param insightsConnectionString string

@description('Version of the kernels\' numerics and their device; part of every job\'s id.')
param kernel string

@description('Most instances at once.')
@minValue(40)
@maxValue(1000)
param maxInstances int

@description('Memory of an instance in MB.')
@allowed([2048, 4096])
param instanceMemoryMB int = 2048

@description('When unreferenced blobs are swept: seconds, minutes, hours, day, month, weekday.')
param sweepSchedule string = '0 15 * * * *'

@description('When libraries are clustered again.')
param reclusterSchedule string = '0 0 3 * * *'

@description('Token of the first administrator key; empty to set none.')
@secure()
param adminKey string

var settings = union(
  storageSettings(storage, identity.clientId),
  {
    APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
    Marketplace__Kernel: kernel
    Marketplace__SweepSchedule: sweepSchedule
    Marketplace__ReclusterSchedule: reclusterSchedule
  },
  empty(adminKey) ? {} : { Marketplace__AdminKey: adminKey }
)

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: { reserved: true }
}

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
    }
    functionAppConfig: {
      runtime: {
        name: 'dotnet-isolated'
        version: '10.0'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maxInstances
        instanceMemoryMB: instanceMemoryMB
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
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
    properties: settings
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
