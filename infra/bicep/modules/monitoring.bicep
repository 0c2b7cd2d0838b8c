// Logs, traces and metrics of both processes. Application Insights keeps them in the tables App* of the workspace.

@description('Name of the log workspace.')
param workspaceName string

@description('Name of the Application Insights resource.')
param insightsName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param retentionInDays int

@description('GB a day after which no more is taken in until the next day.')
@minValue(1)
param dailyCapGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionInDays
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true // processes send with their identity, so that the connection string opens nothing
  }
}
