#!/usr/bin/env bash
# Compiles and lints every bicep file; any warning fails. Nothing but the restore of the compiler needs the network.
set -euo pipefail
cd "$(dirname "$0")"
dotnet restore Bicep.Tool.csproj --verbosity quiet
bicep=$(dotnet msbuild Bicep.Tool.csproj -getProperty:BicepPath | tr '\\' /)
failed=0
check() {
  local output
  if ! output=$("$bicep" "$@" 2>&1 >/dev/null) || [ -n "$output" ]; then
    echo "bicep $*: $output" >&2
    failed=1
  fi
}
for file in *.bicep modules/*.bicep; do
  check build "$file" --stdout # lints, too
done
check build-params main.bicepparam --stdout
[ "$failed" = 0 ] && echo "Bicep files are clean ($("$bicep" --version))."
exit "$failed"
