#!/bin/bash
# bpf(2): raw calls of every command, native = recorded = replayed. The replays run without the capabilities for bpf and
# under a filter that kills whoever calls it.
. "$(dirname "$0")/lib.sh"
require_sandrec

bpf_bin=$top_builddir/tests/bpf/bin
no_bpf=$top_builddir/tests/tools/no_bpf
reason=$("$bpf_bin/probe") || skip_all "$reason"

run_replays() {
	mv "$work" "$T/gone" && mkdir -p "$T/elsewhere" || return 1
	cd / && limited "$T/replay1" "$no_bpf" "$SANDREC" replay "$T/trace" </dev/null
	cd "$T/elsewhere" && limited "$T/replay2" env -i PATH=/nowhere TZ=Asia/Tokyo LANG=xx HOME=/nowhere \
		"$no_bpf" "$SANDREC" replay "$T/trace" </dev/null
	cd "$T" || return 1
}

# The filter does kill.
"$no_bpf" "$bpf_bin/probe" >/dev/null 2>&1
check "bpf kills where it is forbidden" test $? = 159

for prog in "$bpf_bin"/*; do
	name=${prog##*/}
	case $name in
	probe) continue ;;
	esac
	same_plain "$name, without recording" "$prog"
	same_three "$name" "$prog"
done

done_testing
