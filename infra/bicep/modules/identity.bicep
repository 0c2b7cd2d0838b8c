// One identity for each process, so that each holds only its own roles (rbac.bicep).

@description('Name of the function app\'s identity.')
param functionsName string

@description('Name of the kernels\' identity.')
param kernelsName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

resource identities 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = [
  for name in [functionsName, kernelsName]: {
    name: name
    location: location
    tags: tags
  }
]
