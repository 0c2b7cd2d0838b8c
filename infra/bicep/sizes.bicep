// The two sizes an environment comes in. main.bicepparam chooses by MARKETPLACE_SIZE and may override single properties.

@description('How large an environment is, how long it keeps things and what it may cost.')
@export()
type Size = {
  @description('Redundancy of the storage account.')
  storageSku: 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS'

  @description('Days after which what lies in staging is deleted, whatever became of the upload. Uploads stay open for an hour, so that any whole number of days is safe.')
  @minValue(1)
  stagingDays: int

  @description('Days that a deleted blob or container can be brought back. Deleted blobs are paid for until then.')
  @minValue(1)
  @maxValue(365)
  softDeleteDays: int

  @description('Whether writes and deletions in storage are logged: who did what, beside the audit events that the API writes.')
  storageLogs: bool

  @description('Most instances of the function app at once.')
  @minValue(40)
  @maxValue(1000)
  functionsMaxInstances: int

  @description('Memory of an instance of the function app in MB. Clusterings and router exports run there.')
  functionsMemoryMB: 2048 | 4096

  @description('Instances that always wait for requests, so that none meets a cold start. Zone redundancy needs two.')
  @minValue(0)
  @maxValue(20)
  functionsAlwaysReady: int

  @description('Requests that one instance serves at a time. Comparisons compute while they answer, so a few are enough.')
  @minValue(1)
  @maxValue(1000)
  functionsHttpConcurrency: int

  @description('Whether the function app is spread over availability zones.')
  zoneRedundant: bool

  @description('What the kernels compute on; cuda needs GPU quota in the region.')
  kernelsDevice: 'cpu' | 'cuda'

  @description('GPU that the kernels get when they compute on cuda.')
  kernelsGpu: 'Consumption-GPU-NC8as-T4' | 'Consumption-GPU-NC24-A100'

  @description('Most replicas of the kernels at once; there are none while their queue is empty.')
  @minValue(1)
  @maxValue(30)
  kernelsMaxReplicas: int

  @description('Tier of the registry, by the room for images that it includes.')
  registrySku: 'Basic' | 'Standard' | 'Premium'

  @description('Days that logs are kept.')
  @minValue(30)
  @maxValue(730)
  logRetentionDays: int

  @description('GB of logs a day after which no more are taken in until the next day.')
  @minValue(1)
  logDailyCapGb: int

  @description('Whether the health of the API is asked for from outside every five minutes. That keeps one instance from ever being idle for long.')
  availabilityTest: bool

  @description('What the environment may cost in a month, in the subscription\'s currency, before mails are sent; 0 for no budget.')
  @minValue(0)
  budget: int
}

@description('For development: everything goes to zero when idle, one copy of the data in one zone, CPU kernels.')
@export()
var dev Size = {
  storageSku: 'Standard_LRS'
  stagingDays: 3
  softDeleteDays: 3
  storageLogs: false
  functionsMaxInstances: 40
  functionsMemoryMB: 2048
  functionsAlwaysReady: 0
  functionsHttpConcurrency: 16
  zoneRedundant: false
  kernelsDevice: 'cpu'
  kernelsGpu: 'Consumption-GPU-NC8as-T4'
  kernelsMaxReplicas: 2
  registrySku: 'Basic'
  logRetentionDays: 30
  logDailyCapGb: 1
  availabilityTest: false
  budget: 50
}

@description('For production: data and requests survive the loss of a zone, instances wait for requests, GPU kernels.')
@export()
var prod Size = {
  storageSku: 'Standard_ZRS'
  stagingDays: 7
  softDeleteDays: 30
  storageLogs: true
  functionsMaxInstances: 100
  functionsMemoryMB: 4096
  functionsAlwaysReady: 2
  functionsHttpConcurrency: 16
  zoneRedundant: true
  kernelsDevice: 'cuda'
  kernelsGpu: 'Consumption-GPU-NC8as-T4'
  kernelsMaxReplicas: 4
  registrySku: 'Standard'
  logRetentionDays: 90
  logDailyCapGb: 5
  availabilityTest: true
  budget: 1500
}
