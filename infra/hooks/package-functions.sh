#!/bin/sh
# Publishes the function app with the worker host, where azure.yaml's `dist` expects it.
set -eu
cd "$(dirname "$0")/../.."
rm -rf artifacts/azd/functions
dotnet publish functions/Marketplace.Functions.csproj -c Release -p:FunctionsWorker=true -p:UseAppHost=false -o artifacts/azd/functions
# Without one of these the app would start and have no function.
for file in host.json worker.config.json extensions.json functions.metadata .azurefunctions/function.deps.json Marketplace.Functions.dll; do
  [ -f "artifacts/azd/functions/$file" ] || { echo "The package has no $file." >&2; exit 1; }
done
