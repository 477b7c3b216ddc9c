#!/usr/bin/env bash
# run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS_FILE TIMEOUT: verifies one instance and writes the result file:
# sat with the assignment, unsat, unknown, timeout or error. The category changes nothing: there is one configuration.
#
# A server that prepare_instance.sh has started with ESPALIER_WARM=1 is used; without one, or when it has gone, the
# instance is run by a server of its own.
set -uo pipefail
started=$EPOCHREALTIME
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
expect_v1 "${1:-}"
[[ $# -ge 6 ]] || { echo "usage: run_instance.sh v1 CATEGORY ONNX VNNLIB RESULTS_FILE TIMEOUT" >&2; exit 1; }
onnx=$(existing "$3")
vnnlib=$(existing "$4")
results=$5
timeout=$6
rm -f "$results"

# run FLAG...: with what is left of the time.
run() {
  local left
  left=$(awk -v from="$started" -v now="$EPOCHREALTIME" -v limit="$timeout" \
    'BEGIN { left = limit - (now - from); print (left > 0 ? left : 0) }')
  "$programs/espalier" verify "$vnnlib" --network "$onnx" --timeout "$left" --results-file "$results" --quiet "$@" \
    >/dev/null
}

unreachable=5
if [[ ${ESPALIER_WARM:-0} == 1 && -S $warm_folder/socket ]]; then
  run --server "$warm_address"
  status=$?
  if [[ $status -eq $unreachable ]]; then
    run
    status=$?
  fi
else
  run
  status=$?
fi
[[ -s $results ]] || echo error >"$results"
exit "$status"
