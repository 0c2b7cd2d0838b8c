// A small environment for development: CPU kernels, little scale. azd fills in the environment variables.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param principalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param adminKey = readEnvironmentVariable('MARKETPLACE_ADMIN_KEY', '')
param kernelsDevice = 'cpu'
param kernelsMaxReplicas = 2
