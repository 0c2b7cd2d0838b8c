// One identity for each process, so that each holds only its own roles (rbac.bicep).
import { Identity } from 'types.bicep'

@description('Name of the function app\'s identity.')
param functionsName string

@description('Name of the kernels\' identity.')
param kernelsName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

resource functionsIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: functionsName
  location: location
  tags: tags
}

resource kernelsIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: kernelsName
  location: location
  tags: tags
}

@description('Identity of the function app.')
output functions Identity = {
  id: functionsIdentity.id
  clientId: functionsIdentity.properties.clientId
}

@description('Identity of the kernels.')
output kernels Identity = {
  id: kernelsIdentity.id
  clientId: kernelsIdentity.properties.clientId
}
