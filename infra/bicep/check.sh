#!/usr/bin/env bash
# Compiles and lints every bicep file and both sizes of parameters; any warning fails, and so does another layout than the formatter's.
# Nothing but the restore of the compiler needs the network.
set -euo pipefail
cd "$(dirname "$0")"
dotnet restore Bicep.Tool.csproj --verbosity quiet
bicep=$(dotnet msbuild Bicep.Tool.csproj -getProperty:BicepPath | tr '\\' /)
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
failed=0
check() {
  local said
  if ! said=$("$bicep" "$@" 2>&1 >/dev/null) || [ -n "$said" ]; then
    echo "bicep $*: $said" >&2
    failed=1
  fi
}
check build --pattern '**/*.bicep' --outdir "$output/built" # lints, too
for size in dev prod; do
  MARKETPLACE_SIZE=$size check build-params main.bicepparam --outfile "$output/$size.json"
done
cp -r . "$output/formatted"
check format --pattern "$output/formatted/**/*.bicep*"
diff -rq . "$output/formatted" >&2 || { echo "'bicep format' would change these." >&2; failed=1; }
[ "$failed" = 0 ] && echo "Bicep files are clean ($("$bicep" --version))."
exit "$failed"
