// A monthly budget of the resource group. It sends mails and stops nothing; what stops is the kernels' number of replicas and the logs' daily cap.

@description('Name of the budget.')
param name string

@description('What a month may cost, in the subscription\'s currency.')
@minValue(0)
param amount int

@description('First day of the month that the budget begins with. Azure does not let it change afterwards.')
param startDate string

@description('Who gets mails.')
@minLength(1)
param emails string[]

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: startDate }
    notifications: {
      half: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 50
        thresholdType: 'Actual'
        contactEmails: emails
      }
      reached: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Actual'
        contactEmails: emails
      }
      forecast: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 110
        thresholdType: 'Forecasted'
        contactEmails: emails
      }
    }
  }
}
