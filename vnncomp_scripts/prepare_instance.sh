#!/usr/bin/env bash
# prepare_instance.sh v1 CATEGORY ONNX VNNLIB: checks that the files are there; analyses nothing. Exit status 0: run it.
#
# With ESPALIER_WARM=1, for rules that allow a process to live on between instances, it also starts a server that
# run_instance.sh then uses. Otherwise every instance is run by a server of its own, and one that was left is ended.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
expect_v1 "${1:-}"
[[ $# -ge 4 ]] || { echo "usage: prepare_instance.sh v1 CATEGORY ONNX VNNLIB" >&2; exit 1; }
for file in "$(existing "$3")" "$(existing "$4")"; do
  [[ -r $file ]] || { echo "prepare_instance.sh: cannot read '$file'" >&2; exit 1; }
done
[[ -x $programs/espalier && -x $programs/espalierd ]] || { echo "prepare_instance.sh: run install_tool.sh first" >&2; exit 1; }

# Ends the server that an earlier call started: the process whose socket is in our folder.
end_warm_server() {
  [[ -O $warm_folder && -f $warm_folder/pid ]] || return 0
  local pid
  pid=$(cat "$warm_folder/pid")
  if grep -qzF "$warm_address" "/proc/$pid/cmdline" 2>/dev/null; then kill "$pid" 2>/dev/null || true; fi
  rm -f "$warm_folder/pid" "$warm_folder/socket"
}

if [[ ${ESPALIER_WARM:-0} != 1 ]]; then
  end_warm_server
  exit 0
fi
warm_server_answers && exit 0
end_warm_server
mkdir -p -m 700 "$warm_folder"
[[ -O $warm_folder ]] || { echo "prepare_instance.sh: '$warm_folder' belongs to somebody else" >&2; exit 1; }
setsid "$programs/espalierd" --listen "$warm_address" --concurrency 1 --log-level error \
  </dev/null >/dev/null 2>>"$warm_folder/log" &
echo $! >"$warm_folder/pid"
for _ in {1..300}; do
  warm_server_answers && exit 0
  kill -0 $! 2>/dev/null || break
  sleep 0.1
done
echo "prepare_instance.sh: the warm server does not start; instances will be run cold" >&2
