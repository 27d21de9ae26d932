#!/bin/bash
# Random scheduling: it finds a race that does not show otherwise, and what it found replays.
. "$(dirname "$0")/lib.sh"
require_sandrec

lost=$guest_bin/race_lost
finds() {
	local i
	for ((i = 1; i <= 100; i++)); do
		rm -rf "$T/trace"
		limited "$T/recorded" "$SANDREC" run -q --chaos="$i" -o "$T/trace" -- "$lost" count </dev/null
		limited "$T/replayed" "$SANDREC" replay "$T/trace" </dev/null
		same_output "$T/recorded" "$T/replayed" || { echo "seed $i"; show_file "$T/replayed.err"; return 1; }
		[ "$(cat "$T/recorded.status")" = "exit 0" ] || break
	done
	[ "$(cat "$T/recorded.status")" = "exit 1" ] || { echo "not in 100 times"; return 1; }
	for i in 1 2 3; do
		limited "$T/replayed" "$SANDREC" replay "$T/trace" </dev/null
		same_output "$T/recorded" "$T/replayed" || return 1
	done
}
check "chaos finds lost additions, which replay" finds

seed_stored() { "$SANDREC" info "$T/trace" | grep -q '^chaos *seed [0-9]*, ' || { "$SANDREC" info "$T/trace"; return 1; }; }
check "the seed is in the recording" seed_stored

made_up() {
	limited "$T/recorded" "$SANDREC" run --chaos -o "$T/other" -- /bin/true </dev/null
	grep -q '^sandrec: chaos: seed [0-9][0-9]*$' "$T/recorded.err" || { cat "$T/recorded.err"; return 1; }
}
check "a seed that is made up is told" made_up

wrong() {
	limited "$T/recorded" "$SANDREC" run "$1" -- /bin/true </dev/null
	[ "$(cat "$T/recorded.status")" = "exit 125" ] && grep -q '^sandrec: ' "$T/recorded.err"
}
check "--chaos=x is refused" wrong --chaos=x
check "--slice=x is refused" wrong --slice=x
short_slices() {
	run_recorded true && rm -rf "$T/trace"
	limited "$T/recorded" "$SANDREC" run -q --slice=1 -o "$T/trace" -- "$lost" </dev/null
	limited "$T/replayed" "$SANDREC" replay "$T/trace" </dev/null
	same_output "$T/recorded" "$T/replayed" && [ "$(cat "$T/recorded.status")" = "exit 0" ]
}
check "--slice=1" short_slices
done_testing
