// Alerts on what the processes measure, and on whether they answer. They look at the tables of the log workspace, which outlive the resources.

@description('Name of this environment, for the names of alerts.')
param environmentName string

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Name of the log workspace.')
param workspaceName string

@description('Name of the Application Insights resource.')
param insightsName string

@description('Who gets mails; nobody is told of alerts where this is empty, they are seen in the portal.')
param emails string[]

@description('Whether the health of the API is asked for from outside.')
param availabilityTest bool

@description('Address of the API.')
param url string

@description('Jobs that may fail in half an hour.')
@minValue(0)
param failedJobs int = 3

@description('Answers of status 5xx that may be given in a quarter of an hour.')
@minValue(0)
param serverErrors int = 5

@description('Seconds that a message may wait. A replica of the kernels takes minutes to start.')
@minValue(60)
param queueAgeSeconds int = 1800

@description('An alert on what a query gives.')
type Rule = {
  @description('Short name.')
  name: string
  @description('What has happened.')
  title: string
  @description('0 critical, 1 error, 2 warning.')
  severity: 0 | 1 | 2
  @description('Gives rows with a column Value.')
  query: string
  @description('How rows are put together.')
  aggregation: 'Total' | 'Maximum'
  @description('What the value may be at most.')
  threshold: int
  @description('Columns for whose values there are alerts of their own.')
  by: string[]
  @description('How long a time is looked at.')
  window: string
}

var rules Rule[] = [
  {
    name: 'poison'
    title: 'Messages could not be processed; their upload or job has failed.'
    severity: 1
    query: 'AppMetrics | where Name == "marketplace.messages.poisoned" | project TimeGenerated, Value = Sum, Queue = tostring(Properties.queue)'
    aggregation: 'Total'
    threshold: 0
    by: ['Queue']
    window: 'PT15M'
  }
  {
    name: 'failed-jobs'
    title: 'Jobs fail.'
    severity: 2
    query: 'AppMetrics | where Name == "marketplace.job.duration" and Properties.outcome == "failed" | project TimeGenerated, Value = toreal(ItemCount), Kind = tostring(Properties.kind)'
    aggregation: 'Total'
    threshold: failedJobs
    by: ['Kind']
    window: 'PT30M'
  }
  {
    name: 'server-errors'
    title: 'The API answers with status 5xx.'
    severity: 1
    query: 'AppRequests | where toint(ResultCode) >= 500 | project TimeGenerated, Value = toreal(ItemCount)'
    aggregation: 'Total'
    threshold: serverErrors
    by: []
    window: 'PT15M'
  }
  {
    name: 'queue-age'
    title: 'Messages wait too long before they are received.'
    severity: 2
    query: 'AppMetrics | where Name == "marketplace.queue.age" | project TimeGenerated, Value = Max, Queue = tostring(Properties.queue)'
    aggregation: 'Maximum'
    threshold: queueAgeSeconds
    by: ['Queue']
    window: 'PT30M'
  }
  {
    name: 'queue-stuck'
    title: 'Messages lie in a queue and none is received.'
    severity: 1
    query: '''
      let waiting = AppMetrics | where Name == "marketplace.queue.length" | summarize Value = min(Min), TimeGenerated = max(TimeGenerated) by Queue = tostring(Properties.queue) | where Value > 0;
      let received = AppMetrics | where Name == "marketplace.queue.age" | distinct Queue = tostring(Properties.queue);
      waiting | where Queue !endswith "-poison" | join kind=leftanti received on Queue
    '''
    aggregation: 'Maximum'
    threshold: 0
    by: ['Queue']
    window: 'PT1H'
  }
  {
    name: 'log-cap'
    title: 'No more logs are taken in today: the daily cap is reached, and the other alerts are blind.'
    severity: 2
    query: '_LogOperation | where Category =~ "Ingestion" and Detail has "OverQuota" | project TimeGenerated, Value = 1.0'
    aggregation: 'Total'
    threshold: 0
    by: []
    window: 'PT1H'
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource receivers 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: 'ag-marketplace-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'marketplace'
    enabled: true
    emailReceivers: [
      for email in emails: {
        name: email
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'marketplace-${environmentName}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Marketplace ${environmentName}: ${rule.name}'
      description: rule.title
      severity: rule.severity
      enabled: true
      scopes: [workspace.id]
      evaluationFrequency: 'PT5M'
      windowSize: rule.window
      autoMitigate: true
      skipQueryValidation: true // the tables come into being with the first telemetry
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: 'Value'
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
            dimensions: map(rule.by, column => { name: column, operator: 'Include', values: ['*'] })
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: empty(emails) ? [] : [receivers.id] }
    }
  }
]

var testName = 'webtest-marketplace-${environmentName}'

resource health 'Microsoft.Insights/webtests@2022-06-15' = if (availabilityTest) {
  name: testName
  location: location
  tags: union(tags, { 'hidden-link:${insights.id}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: testName
    Name: 'Health of the API'
    Kind: 'standard'
    Enabled: true
    Frequency: 300
    Timeout: 60
    RetryEnabled: true
    Locations: [for id in ['emea-nl-ams-azr', 'us-va-ash-azr', 'apac-sg-sin-azr']: { Id: id }]
    Request: {
      RequestUrl: '${url}/api/v1/health'
      HttpVerb: 'GET'
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource unavailable 'Microsoft.Insights/metricAlerts@2018-03-01' = if (availabilityTest) {
  name: 'marketplace-${environmentName}-unavailable'
  location: 'global'
  tags: tags
  properties: {
    description: 'The API does not answer, or says that storage does not.'
    severity: 0
    enabled: true
    scopes: [health.id, insights.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: health.id
      componentId: insights.id
      failedLocationCount: 2
    }
    actions: empty(emails) ? [] : [{ actionGroupId: receivers.id }]
  }
}
