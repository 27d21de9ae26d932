#!/bin/bash
# System calls that are made while the program stays in the machine: the same results, the same recordings, and when not.
. "$(dirname "$0")/lib.sh"
require_sandrec
seconds=180

served() { "$SANDREC" stat --json "$1" | sed -n 's/^  "fast_path": \([0-9]*\),$/\1/p'; }

# Where leaving the machine is cheap nothing is served. How much is, depends on what else the processors have to do.
probe() {
	local i
	for ((i = 0; i < 20; i++)); do
		rm -rf "$T/probe"
		SANDREC_FAST_PATH=always "$SANDREC" run -q -o "$T/probe" -- "$guest_bin/many_calls" >/dev/null 2>&1
		[ "$(served "$T/probe")" -eq 0 ] || return 0
	done
	return 1
}
fresh_work
if [ "$(nproc)" -gt 1 ] && "$SANDREC" doctor | grep -q 'a software KVM'; then check "calls are served" probe
else skip "calls are served" "the machine has virtualisation of its own, or one processor"; fi

prepare() {
	printf 'first line\nsecond line\n' >text
	mkdir -p dir/sub && : >dir/a && : >dir/b
}
setup=prepare
# Recorded and replayed with it from the first call on; the second replay of same_three has it as it sees fit.
for prog in fast_calls fast_signals fast_waits fast_memory many_calls files sig_frame sig_mask sig_restart sig_jump fork_vfork fork_signals thread_fork \
	exec_state drop_rights time waiting limit_outside thread_signals thread_exec thread_memory ring_calls; do
	export SANDREC_FAST_PATH=always
	same_plain "$prog, always, without recording" "$guest_bin/$prog" one 'two words' ''
	same_three "$prog, always" "$guest_bin/$prog" one 'two words' ''
	unset SANDREC_FAST_PATH
done

# A recording is the same either way.
for prog in fast_calls fast_signals fast_waits; do
	check "$prog, recorded with it, replays without" crossed $prog always never
	check "$prog, recorded without it, replays with it" crossed $prog never always
	unset SANDREC_FAST_PATH
done

refused() { recorded_by_exits many_calls && [ "$(served "$T/trace")" = 0 ]; }
cd "$T" || exit 99
check "run --no-fast-path" refused

one_processor() {
	rm -rf "$T/trace"
	SANDREC_FAST_PATH=always limited "$T/recorded" taskset -c "$(taskset -cp $$ | sed 's/.*[: ]\([0-9]*\).*/\1/')" \
		"$SANDREC" run -o "$T/trace" -- "$guest_bin/many_calls" </dev/null
	[ "$(cat "$T/recorded.status")" = "exit 0" ] && [ "$(served "$T/trace")" = 0 ]
}
if have taskset; then check "nothing is served with one processor" one_processor
else skip "nothing is served with one processor" "no taskset"; fi

done_testing
