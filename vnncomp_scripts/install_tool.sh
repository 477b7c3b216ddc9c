#!/usr/bin/env bash
# install_tool.sh v1: installs the Debian packages that are missing and builds the release. Repeating it is quick.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
expect_v1 "${1:-}"
"$root/scripts/install_packages"
"$root/scripts/build" release espalier espalierd
"$programs/espalier" --version
