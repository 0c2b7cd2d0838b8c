// Registry of the kernels' image. It is pulled with the kernels' identity; there is no user with a password.

@description('Name of the registry.')
@minLength(5)
@maxLength(50)
param name string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Tier.')
@allowed(['Basic', 'Standard', 'Premium'])
param sku string

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku }
  properties: { adminUserEnabled: false }
}
