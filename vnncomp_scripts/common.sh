# What the three scripts share. ESPALIER_BUILD names another folder that holds espalier and espalierd.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
programs=${ESPALIER_BUILD:-$root/build/release}

# Only the first version of the competition's interface exists.
expect_v1() {
  [[ ${1:-} == v1 ]] && return
  echo "$(basename "$0"): expected the version string 'v1', got '${1:-}'" >&2
  exit 1
}

# The file, or the packed one beside it, which is what the benchmarks' repository holds.
existing() {
  if [[ ! -e $1 && -e $1.gz ]]; then echo "$1.gz"; else echo "$1"; fi
}

# Folder of the warm server; nobody else can look into it.
warm_folder=${ESPALIER_WARM_FOLDER:-${XDG_RUNTIME_DIR:-/tmp}/espalier-vnncomp-$(id -u)}
warm_address=unix:$warm_folder/socket

warm_server_answers() {
  [[ -O $warm_folder && -S $warm_folder/socket ]] &&
    timeout 20 "$programs/espalier" supports --vnnlib-versions --server "$warm_address" >/dev/null 2>&1
}
