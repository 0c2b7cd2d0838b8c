// The dashboard: a workbook over the log workspace. Its JSON is the file that the workbook's advanced editor shows and takes.

@description('Title in the portal.')
param title string

@description('Name of the log workspace it reads.')
param workspaceName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'marketplace-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: title
    category: 'workbook'
    sourceId: workspace.id
    serializedData: replace(loadTextContent('../workbooks/marketplace.workbook.json'), '{workspace-id}', workspace.id)
  }
}
