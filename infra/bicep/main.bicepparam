// What azd deploys. It hands over the environment's values (azd env set NAME VALUE) as environment variables; they are read at compile time.
using 'main.bicep'
import { dev, prod } from 'sizes.bicep'

var production = readEnvironmentVariable('MARKETPLACE_SIZE', 'dev') == 'prod'
var chosen = production ? prod : dev
var audience = readEnvironmentVariable('MARKETPLACE_ENTRA_AUDIENCE', '')
var device = readEnvironmentVariable('MARKETPLACE_KERNELS_DEVICE', '')
var emails = readEnvironmentVariable('MARKETPLACE_ALERT_EMAILS', '')
var networks = readEnvironmentVariable('MARKETPLACE_ALLOWED_NETWORKS', '')

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param size = {
  ...chosen
  kernelsDevice: empty(device) ? chosen.kernelsDevice : device
}
// Nobody has standing access to production's data.
param principalId = production ? '' : readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param kernelsImage = readEnvironmentVariable('SERVICE_KERNELS_IMAGE_NAME', '')
param entraAudience = audience == 'none' ? '' : audience
param adminIdentity = readEnvironmentVariable('MARKETPLACE_ADMIN_IDENTITY', '')
param alertEmails = empty(emails) ? [] : split(emails, ',')
param allowedNetworks = empty(networks) ? [] : split(networks, ',')
param budgetStart = readEnvironmentVariable('MARKETPLACE_BUDGET_START', '')
