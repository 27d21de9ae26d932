#!/bin/bash
# sandrec chaos: it finds bugs that need threads to meet in one particular way, and what it keeps fails again on each replay.
. "$(dirname "$0")/lib.sh"
require_sandrec
export SANDREC_TRACE_DIR=$T/traces
seconds=300
bin=$top_builddir/tests/chaos/bin

# How a program fails is in the comment at its top.
fails_by() { if grep -q 'Hangs\.' "$top_srcdir/tests/chaos/$1.c"; then echo deadlock; else echo SIGABRT; fi; }

again() {
	local i
	for i in 1 2 3; do
		limited "$T/replayed" "$SANDREC" replay "$T/kept" </dev/null
		case $1 in
		deadlock) [ "$(cat "$T/replayed.status")" = "signal 9" ] ;;
		*) [ "$(cat "$T/replayed.status")" = "signal 6" ] && grep -q 'Assertion' "$T/replayed.err" ;;
		esac || { echo "replay: $(cat "$T/replayed.status")"; cat "$T/replayed.err"; return 1; }
	done
}

finds() {
	local how
	how=$(fails_by "$1")
	rm -rf "$T/kept"
	limited "$T/chaos" "$SANDREC" chaos -q -n 2000 --until-fail -o "$T/kept" -- "$bin/$1" </dev/null
	[ "$(cat "$T/chaos.status")" = "exit 1" ] && grep -q "^seed [0-9]*: .*$how" "$T/chaos.out" &&
		grep -q 'replayed once, the same$' "$T/chaos.out" || { cat "$T/chaos.status" "$T/chaos.out" "$T/chaos.err"; return 1; }
	again "$how"
}
for source in "$top_srcdir"/tests/chaos/*.c; do
	name=$(basename "$source" .c)
	check "$name is found, and fails again on replay" finds "$name"
done

nothing() {
	limited "$T/chaos" "$SANDREC" chaos -n 4 -- /bin/true </dev/null
	[ "$(cat "$T/chaos.status")" = "exit 0" ] && [ "$(cat "$T/chaos.out")" = "0 of 4 runs failed" ] &&
		[ -z "$(ls "$T/traces")" ] || { cat "$T/chaos.status" "$T/chaos.out" "$T/chaos.err"; ls -la "$T/traces"; return 1; }
}
check "no failure: status 0, nothing is kept" nothing

status() {
	limited "$T/chaos" "$SANDREC" chaos -n 3 -j 2 --seed=7 --no-shrink -- /bin/sh -c 'echo wrong >&2; exit 3' </dev/null
	[ "$(cat "$T/chaos.status")" = "exit 1" ] && grep -q '^seed 7: exit status 3$' "$T/chaos.out" &&
		grep -q '^  | wrong$' "$T/chaos.out" && grep -q '^3 of 3 runs failed$' "$T/chaos.out" &&
		[ "$(ls "$T/traces")" = "$(printf 'latest-trace\nsh-1')" ] || { cat "$T/chaos.out" "$T/chaos.err"; ls "$T/traces"; return 1; }
}
check "an exit status is a failure; the recording is named like others" status

late() {
	rm -rf "$T/kept"
	limited "$T/chaos" "$SANDREC" chaos -n 1 --timeout=1 -o "$T/kept" -- /bin/sleep 1000 </dev/null
	grep -q '^seed 1: it did not end within 1 s$' "$T/chaos.out" || { cat "$T/chaos.out" "$T/chaos.err"; return 1; }
}
check "--timeout" late

# Nothing is left behind, the list of places included.
interrupted() {
	rm -rf "$T/interrupted" && mkdir "$T/interrupted" || return 1
	SANDREC_TRACE_DIR=$T/interrupted "$SANDREC" chaos -q -n 100000 -- "$bin/order" </dev/null >"$T/chaos.out" 2>&1 &
	for i in {1..300}; do
		[ -e "$(echo "$T"/interrupted/.scratch-*/places)" ] && break
		sleep 0.2
	done
	kill -TERM $!
	wait $!
	[ $? = 143 ] && [ -z "$(find "$T/interrupted" -mindepth 1 -maxdepth 1 ! -name .store)" ] || { ls -A "$T"/interrupted "$T"/interrupted/.scratch*; return 1; }
}
check "interrupted" interrupted

missing() {
	limited "$T/chaos" "$SANDREC" chaos -n 3 -- /no/such/program </dev/null
	[ "$(cat "$T/chaos.status")" = "exit 1" ] && [ "$(grep -c '^sandrec: ' "$T/chaos.err")" = 2 ] && [ ! -s "$T/chaos.out" ] ||
		{ cat "$T/chaos.out" "$T/chaos.err"; return 1; }
}
check "a program that is not there is said once" missing

places() {
	printf 'nonsense\n' >"$T/places"
	limited "$T/run" "$SANDREC" run -q --chaos=1 --chaos-places="$T/places" -- /bin/true </dev/null
	[ "$(cat "$T/run.status")" = "exit 125" ] && [ "$(grep -c '^sandrec: ' "$T/run.err")" = 2 ] || { cat "$T/run.err"; return 1; }
}
check "a wrong list of places is refused" places

few() {
	rm -rf "$T/one"
	limited "$T/run" "$SANDREC" run -q --chaos=7 --chaos-switches=1 -o "$T/one" -- "$bin/deadlock" </dev/null
	"$SANDREC" info "$T/one" | grep -q '^chaos *seed 7, [0-9]* places, [01] forced switches$' || { "$SANDREC" info "$T/one"; return 1; }
}
check "--chaos-switches" few
done_testing
