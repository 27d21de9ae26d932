#!/bin/bash
# SIGKILL at random moments, of the recorded process and of the supervisor: what was recorded replays.
. "$(dirname "$0")/lib.sh"
require_sandrec
rounds=${SANDREC_KILL_ROUNDS:-50}
counter=$top_builddir/tests/tools/counter
RANDOM=4711
cd "$T" || exit 99

children_of() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
# Descendants that are still there when their supervisor has gone would go on without being recorded.
all_gone() {
	local i
	for ((i = 0; i < 100; i++)); do
		kill -0 "$@" 2>/dev/null || return 0
		sleep 0.05
	done
	kill -9 "$@" 2>/dev/null
	return 1
}

# one_round WHO: kills WHO (program or supervisor) at some moment and replays
one_round() {
	local supervisor children victim wait
	rm -rf trace out err
	"$SANDREC" run -o trace -- "$counter" 1000000 >out 2>err </dev/null &
	supervisor=$!
	wait=$((RANDOM % 300))
	sleep "$(printf '0.%03d' $wait)"
	children=$(children_of $supervisor)
	victim=$supervisor
	# Before the program has a process there is only the supervisor to kill.
	[ "$1" = supervisor ] || victim=${children%% *}
	kill -9 "${victim:-$supervisor}"
	wait $supervisor 2>/dev/null
	# shellcheck disable=SC2086
	[ -z "$children" ] || all_gone $children || { echo "after $wait ms: the program went on without its supervisor"; return 1; }
	[ -d trace ] && [ -n "$(find trace -name 'manifest*')" ] || { nothing=$((nothing + 1)); return 0; }
	limited replay "$SANDREC" replay trace </dev/null
	case $(cat replay.status) in
	signal\ 9 | exit*) ;;
	*) echo "killed after $wait ms: replay ended with $(cat replay.status)"; cat replay.err; return 1 ;;
	esac
	[ "$(cat replay.status)" != "exit 70" ] || { echo "killed after $wait ms: divergence"; cat replay.err; return 1; }
	compare_outputs "$1" $wait
}

# Nothing may be replayed that did not happen. What the program had logged must be there if only the program was killed:
# then at most the last line, written but not yet logged, is missing.
compare_outputs() {
	local had replayed
	had=$(grep -c . out) replayed=$(grep -c . replay.out)
	head -c "$(stat -c %s replay.out)" out | cmp -s - replay.out ||
		{ echo "after $2 ms: the replay printed something else ($replayed lines of $had)"; cat replay.err; return 1; }
	lines=$((lines + replayed))
	[ "$1" = supervisor ] || [ $replayed -ge $((had - 1)) ] ||
		{ echo "after $2 ms: the program had printed $had lines, the trace has $replayed"; cat replay.err; return 1; }
}

kill_rounds() {
	local i bad=0
	lines=0 nothing=0
	for ((i = 0; i < rounds; i++)); do
		one_round "$1" || bad=$((bad + 1))
	done
	echo "$bad of $rounds rounds failed; $nothing were killed before there was a trace; $lines lines replayed"
	[ $bad = 0 ] && [ $nothing -lt "$rounds" ] && [ $lines -gt 0 ]
}
check "the program killed, $rounds times" kill_rounds program
check "the supervisor killed, $rounds times" kill_rounds supervisor
done_testing
