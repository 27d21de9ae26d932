#!/bin/bash
# Signals that land in computations: each recording lands elsewhere, and each replays exactly.
. "$(dirname "$0")/lib.sh"
require_sandrec

times=${SANDREC_ASYNC_TIMES:-20}

# repeatedly PROG ARG...: records it again and again, each time with a replay.
repeatedly() {
	local i
	for ((i = 1; i <= times; i++)); do
		run_recorded "$@" || return 1
		limited "$T/replayed" "$SANDREC" replay "$T/trace" </dev/null
		same_output "$T/recorded" "$T/replayed" && [ "$(cat "$T/recorded.status")" = "exit 0" ] ||
			{ echo "time $i: $(cat "$T/recorded.status")"; show_file "$T/recorded.err"; return 1; }
		! grep -q broken "$T/recorded.out" || { grep broken "$T/recorded.out"; return 1; }
	done
}

check "loops of all kinds, $times times" repeatedly "$guest_bin/async_loops" values
check "a storm of signals, $times times" repeatedly "$guest_bin/async_storm" values
if have openssl; then
	same_replays "openssl speed" openssl speed -seconds 1 -bytes 64 sha256
else
	skip "openssl speed" "no openssl"
fi
done_testing
