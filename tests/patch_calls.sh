#!/bin/bash
# System call sites that become jumps: the same results as without, whatever happens to the code and to who stands in it.
. "$(dirname "$0")/lib.sh"
require_sandrec
seconds=240

# sites TRACE KEY: what `stat` counts
sites() { "$SANDREC" stat --json "$1" | sed -n '/"sites": {/,/}/s/^ *"'"$2"'": \([0-9]*\),*$/\1/p'; }

# Nothing is patched where leaving the machine is cheap.
if [ "$(nproc)" -gt 1 ] && "$SANDREC" doctor | grep -q 'a software KVM'; then patches=1; else patches=; fi

prepare() { printf 'first line\nsecond line\n' >text; }
setup=prepare

for prog in call_sites call_sites.static call_memory call_memory.static call_signals; do
	export SANDREC_FAST_PATH=always
	same_plain "$prog, at first sight, without recording" "$guest_bin/$prog"
	same_three "$prog, at first sight" "$guest_bin/$prog"
	unset SANDREC_FAST_PATH
	same_three "$prog, when busy" "$guest_bin/$prog"
done

# What a program sees of its own code.
export SANDREC_FAST_PATH=always
same_replays "any_own_code, at first sight" "$guest_bin/any_own_code"
unset SANDREC_FAST_PATH

# counted KEY... : a recording of call_sites has some of each
counted() {
	local key
	rm -rf "$T/trace"
	SANDREC_FAST_PATH=always limited "$T/recorded" "$SANDREC" run -o "$T/trace" -- "$guest_bin/call_sites" </dev/null
	for key; do [ "$(sites "$T/trace" "$key")" -gt 0 ] || { diag "$key: $(sites "$T/trace" "$key")"; return 1; }; done
	"$SANDREC" stat "$T/trace" | grep -q '^system call sites: [0-9]* replaced by a jump'
}
cd "$T" || exit 99
if [ "$patches" ]; then check "stat counts sites" counted patched unknown_shape
else skip "stat counts sites" "nothing is patched on this machine"; fi

# Recorded with patches, replayed by a machine that does not serve, and the other way round.
for prog in call_sites call_memory call_signals; do
	check "$prog, recorded with patches, replayed without a server" crossed $prog always never
	check "$prog, recorded without patches, replayed with a server" crossed $prog never always
	unset SANDREC_FAST_PATH
done

refused() { recorded_by_exits call_sites && [ "$(sites "$T/trace" patched)" = 0 ]; }
cd "$T" || exit 99
check "run --no-fast-path patches nothing" refused
done_testing
