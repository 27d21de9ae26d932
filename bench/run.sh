#!/bin/sh
# run.sh SANDREC BENCH-DIR: `make bench` (doc/performance.md).
set -eu
[ -r /dev/kvm ] && [ -w /dev/kvm ] || { echo "bench: no usable /dev/kvm" >&2; exit 1; }
command -v python3 >/dev/null || { echo "bench: needs python3" >&2; exit 1; }
"$1" --version
echo "$(uname -r), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors"
exec python3 -B "$(dirname "$0")/measure.py" "$@"
