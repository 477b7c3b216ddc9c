#!/usr/bin/env bash
# check_bundle.sh SOURCE BUILD FOLDER: bundles what was built and runs it with nothing but the C library around it: with
# an empty environment and, as root, in a folder as its whole file system. Without a card it has to say so.
set -euo pipefail
source=$1 build=$2 folder=$3
rm -rf "$folder"
mkdir -p "$folder"
"$source/scripts/gpu_check" --build "$build" --out "$folder/gpu_check" --without-cublas

# 0: a card passed; 77: there is none, which has to be said.
check() {
  local status=0 text
  text=$("$@" 2>&1) || status=$?
  echo "$text"
  [[ $status -eq 0 ]] || { [[ $status -eq 77 ]] && grep -q '^no device: ' <<<"$text"; }
}

mkdir "$folder/report"
check env -i "$folder/gpu_check/gpu_check" --report "$folder/report"
grep -q '"card"' "$folder/report/report.json"
! env -i ldd "$folder/gpu_check/gpu_check" "$folder/gpu_check/gpu_conformance" | grep -E 'not found|=> /usr/(local|lib/.*(openblas|dnnl|stdc))'
[[ $(du -sm "$folder/gpu_check.tar.gz" | cut -f1) -lt 60 ]] || { echo "larger than 60 MiB"; exit 1; }

[[ $EUID -eq 0 ]] || exit 0
whole=$folder/root
mkdir -p "$whole"
cp -r "$folder/gpu_check" "$whole/"
loader=$(readelf -l "$folder/gpu_check/gpu_check" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
for library in "$loader" $(ldd "$(command -v cat)" | awk '$2 == "=>" {print $3}') \
    $(ldd "$folder/gpu_check/gpu_check" | awk '$1 ~ /^lib(c|m|dl|pthread|rt|resolv)\.so/ {print $3}'); do
  mkdir -p "$whole$(dirname "$library")"
  cp -L "$library" "$whole$library"
done
mkdir "$whole/report"
# $ORIGIN comes from /proc, which is not there either.
check env -i LD_ORIGIN_PATH=/gpu_check "$(command -v chroot)" "$whole" /gpu_check/gpu_check --report /report
