#!/bin/sh
# What bicep can't make or must not make twice; each value is written once into azd's environment and kept from then on.
#   MARKETPLACE_BUDGET_START    the budget's first month, which Azure does not let change
#   MARKETPLACE_ENTRA_AUDIENCE  the application registration that stands for the API, with its roles
#   MARKETPLACE_ADMIN_IDENTITY  the person who deploys, who gets the role of an admin there
# Set MARKETPLACE_ENTRA_AUDIENCE yourself to use a registration that exists, or to `none` for API keys alone.
set -eu

if [ -z "${MARKETPLACE_BUDGET_START:-}" ]; then
  azd env set MARKETPLACE_BUDGET_START "$(date -u +%Y-%m-01)"
fi

if [ -n "${MARKETPLACE_ENTRA_AUDIENCE:-}" ]; then
  exit 0
fi
if ! command -v az >/dev/null || ! az account show --output none 2>/dev/null; then
  echo "Sign in with 'az login', so that the application registration can be made, or set MARKETPLACE_ENTRA_AUDIENCE (infra/README.md)." >&2
  exit 1
fi

here=$(dirname "$0")
graph=https://graph.microsoft.com/v1.0
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46 # its application id, the same in every tenant
scope=9d1c4a0e-3f0b-4c5e-8a57-6c2b1f3e7a00
admin=9d1c4a0e-3f0b-4c5e-8a57-6c2b1f3e7a03 # as in app-roles.json
name="Adapter marketplace (${AZURE_ENV_NAME})"

send() { # METHOD PATH BODY
  az rest --method "$1" --url "$graph/$2" --headers Content-Type=application/json --body "$3" --output none
}

app=$(az ad app list --filter "displayName eq '$name'" --query '[0].appId' --output tsv)
if [ -z "$app" ]; then
  app=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --app-roles "@$here/app-roles.json" --query appId --output tsv)
fi
# Tokens of version 2 name the application by its id. The scope lets the Azure CLI ask for a token: az account get-access-token --scope api://ID/.default
send patch "applications(appId='$app')" "{
  \"identifierUris\": [\"api://$app\"],
  \"api\": {
    \"requestedAccessTokenVersion\": 2,
    \"oauth2PermissionScopes\": [{
      \"id\": \"$scope\", \"value\": \"access\", \"type\": \"User\", \"isEnabled\": true,
      \"adminConsentDisplayName\": \"Use the marketplace\", \"adminConsentDescription\": \"Use the marketplace with the roles of the person signed in.\"
    }]
  }
}"
send patch "applications(appId='$app')" "{\"api\": {\"preAuthorizedApplications\": [{\"appId\": \"$azure_cli\", \"delegatedPermissionIds\": [\"$scope\"]}]}}"

# Roles are given on the service principal; who has none gets no token.
principal=$(az ad sp list --filter "appId eq '$app'" --query '[0].id' --output tsv)
if [ -z "$principal" ]; then
  principal=$(az ad sp create --id "$app" --query id --output tsv)
fi
send patch "servicePrincipals/$principal" '{"appRoleAssignmentRequired": true}'

person=$(az ad signed-in-user show --query id --output tsv 2>/dev/null || true) # a pipeline's identity is no person
if [ -n "$person" ]; then
  present=$(az rest --method get --url "$graph/servicePrincipals/$principal/appRoleAssignedTo" \
    --query "value[?principalId=='$person' && appRoleId=='$admin'].id" --output tsv)
  if [ -z "$present" ]; then
    send post "servicePrincipals/$principal/appRoleAssignedTo" \
      "{\"principalId\": \"$person\", \"resourceId\": \"$principal\", \"appRoleId\": \"$admin\"}"
  fi
  azd env set MARKETPLACE_ADMIN_IDENTITY "$person"
fi

azd env set MARKETPLACE_ENTRA_AUDIENCE "$app"
echo "Tokens of $name ($app) are accepted. Roles are given in Entra ID under Enterprise applications."
