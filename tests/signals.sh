#!/bin/bash
# Death by every signal whose default it is, and survival of the others: the same status as natively.
. "$(dirname "$0")/lib.sh"
require_sandrec

# Nothing can log SIGKILL, so a replay says that the recording just ends; the status and the output are known.
killed() {
	local run what
	run_native "$@" && run_recorded "$@" && run_replays || return 1
	for run in recorded replay1 replay2; do
		for what in status out; do
			cmp "$T/native.$what" "$T/$run.$what" || return 1
		done
	done
}

for sig in {1..64}; do
	case $sig in
	9) check "signal 9 sent to itself" killed "$guest_bin/sig_die" 9; continue ;;
	19 | 20 | 21 | 22) continue ;; # these stop
	esac
	same_three "signal $sig sent to itself" "$guest_bin/sig_die" "$sig"
done

wait_for() {
	local i
	for ((i = 0; i < 500; i++)); do
		grep -q "$1" "$T/recorded.out" && return
		sleep 0.02
	done
	echo "never printed: $1"
	return 1
}

# A wait is interrupted, a read restarts, and a computation is killed: all from outside.
from_outside() {
	local run pid status
	rm -rf "$T/trace"
	fresh_work || return 1
	mkfifo "$T/input"
	sleep 60 >"$T/input" &
	local writer=$!
	"$SANDREC" run -q -o "$T/trace" -- "$guest_bin/sig_external" wait <"$T/input" >"$T/recorded.out" 2>"$T/recorded.err" &
	pid=$!
	wait_for ready && kill -USR1 $pid && wait_for reading && kill -USR2 $pid && wait_for 'signal 12' &&
		sleep 0.2 && kill -USR2 $pid && kill $writer && wait_for computing && sleep 0.2 && kill -TERM $pid
	wait $pid
	status=$?
	kill -KILL $pid $writer 2>/dev/null
	[ $status = 143 ] || { echo "status $status"; cat "$T/recorded.out" "$T/recorded.err"; return 1; }
	run_replays || return 1
	for run in replay1 replay2; do
		cmp "$T/recorded.out" "$T/$run.out" && [ "$(cat "$T/$run.status")" = "signal 15" ] || return 1
	done
}
check "signals from outside" from_outside
done_testing
