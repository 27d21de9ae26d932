#!/bin/bash
# Threads that race: every recording differs, and every recording replays exactly, twice, while the machine is busy with
# other things.
. "$(dirname "$0")/lib.sh"
require_sandrec

# Minutes, on purpose on a busy machine. chaos.sh, shared.sh and the thread_* programs of guest.sh are what always runs.
[ -n "${SANDREC_TEST_FULL-}${SANDREC_THREADS_TIMES-}" ] || skip_all "only with SANDREC_TEST_FULL=1"
times=${SANDREC_THREADS_TIMES:-2}
seconds=240 # of each run: the machine is loaded on purpose
[ -z "${SANDREC_TEST_FULL-}" ] || times=${SANDREC_THREADS_TIMES:-20}

# As many as there are processors, at a lower priority when this is not the full test.
load() {
	local i
	for ((i = $(nproc); i > 0; i--)); do
		nice -n $([ "$times" -ge 20 ] && echo 0 || echo 10) "$BASH" -c 'while :; do :; done' &
		burners+=($!)
	done
}
burners=()
unload() { [ ${#burners[@]} -eq 0 ] || kill "${burners[@]}" 2>/dev/null; burners=(); }
trap 'unload; finish' EXIT

# repeatedly PROG ARG...: recorded again and again, each recording replayed twice.
repeatedly() {
	local i
	: >"$T/outputs"
	for ((i = 1; i <= times; i++)); do
		run_recorded "$@" || return 1
		[ "$(cat "$T/recorded.status")" = "exit 0" ] ||
			{ echo "time $i: $(cat "$T/recorded.status")"; show_file "$T/recorded.err"; return 1; }
		run_replays && same_output "$T/recorded" "$T/replay1" && same_output "$T/recorded" "$T/replay2" ||
			{ echo "time $i"; return 1; }
		cat "$T/recorded.out" >>"$T/outputs"
	done
}

load
kinds=$("$guest_bin/any_races" names)
for kind in $kinds; do
	check "$kind, $times times" repeatedly "$guest_bin/any_races" "$kind"
	sort -u "$T/outputs" >>"$T/all"
done
unload
same_three "2000 threads, one after the other" "$guest_bin/thread_many" 2000
# A race that always has the same end would show nothing.
check "their results differ from run to run" test "$times" -lt 2 -o "$(wc -l <"$T/all")" -gt "$(wc -w <<<"$kinds")"
done_testing
