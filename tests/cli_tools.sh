#!/bin/bash
# The commands that read, compare, move and show recordings: stat, verify.
. "$(dirname "$0")/lib.sh"
require_sandrec
cd "$T" || exit 99

export SANDREC_TRACE_DIR=$T/traces
sandrec() { limited "$T/last" "$SANDREC" "$@" </dev/null; }
ended() { [ "$(cat "$T/last.status")" = "$1" ] || { echo "ended with $(cat "$T/last.status"), not $1"; cat "$T/last.err"; false; }; }
prints() { [ "$(cat "$T/last.out")" = "$1" ] || { echo "printed:"; cat "$T/last.out"; false; }; }
has_line() { grep -qE -- "$1" last.out || { echo "no line $1"; head -n 20 last.out; return 1; }; }
says() { grep -qE -- "$1" last.err || { echo "no message $1"; cat last.err; return 1; }; }
# json EXPRESSION: with the command's output as v, one JSON text
json() { python3 -c "import json, sys; v = json.load(sys.stdin); sys.exit(not ($1))" <"$T/last.out" || { head -c 1500 "$T/last.out"; false; }; }
record() { # record TRACE STATUS PROG...
	limited "$T/run" "$SANDREC" run -o "$1" -- "${@:3}" </dev/null
	[ "$(cat run.status)" = "$2" ] || { diag "$1: $(cat run.status)"; show_file run.err; bail_out "$1 was not recorded"; }
}

echo 'one line' >input
cat >tree.sh <<'SCRIPT'
read line <input
echo "$line"
cat nothing 2>/dev/null
printf 'two\nlines\n' | wc -l
exit 3
SCRIPT
record tree "exit 3" /bin/bash tree.sh
record counter "exit 0" "$top_builddir/tests/tools/counter" 200

### stat
stat_counts() {
	sandrec stat --json counter && ended "exit 0" || return
	json "[c['calls'] for c in v['syscalls'] if c['name'] == 'getppid'] == [200]
and [(c['calls'], c['errors'], c['moved']) for c in v['syscalls'] if c['name'] == 'write'] == [(200, 0, 10 * 2 + 90 * 3 + 100 * 4)]
and v['total']['calls'] == v['events']['syscalls'] == sum(c['calls'] for c in v['syscalls'])
and len(v['threads']) == 1 and v['threads'][0]['calls'] == v['total']['calls']"
}
stat_sums() {
	sandrec stat --json tree && ended "exit 0" || return
	json "all(sum(t[k] for t in v['threads']) == sum(c[k] for c in v['syscalls']) == v['total'][k]
		for k in ('calls', 'errors', 'time_ns', 'moved', 'recorded'))
and len({t['process'] for t in v['threads']}) == 4 and v['total']['errors'] > 0 and v['events']['exits'] == 4"
}
stat_text() {
	sandrec stat --sort=calls counter && ended "exit 0" && has_line '^counter: [0-9]+ events in [0-9.]+ s, 1 process, 1 thread$' &&
		has_line '^ +200 +0 +[0-9.]+ +0 +0  getppid$' &&
		[ "$(awk '/SYSTEM CALL/ { getline; print $NF }' last.out)" = getppid ]
}
stat_pid() {
	local wc
	wc=$("$SANDREC" ps tree | awk '/wc -l$/ { print $1 }')
	sandrec stat --pid "$wc" tree && ended "exit 0" && has_line '^tree: .* 1 process, 1 thread$' &&
		has_line "  $wc\$" && sandrec stat --pid 1 tree && ended "exit 1"
}
check "stat --json: calls and bytes" stat_counts
check "stat --json: threads and calls add up to the same" stat_sums
check "stat: text, sorted" stat_text
check "stat --pid" stat_pid

### verify
intact() { sandrec verify tree && ended "exit 0" && has_line '^tree: intact: [0-9]+ events of 4 processes, [0-9]+ files with [0-9.]+M$' && [ ! -s last.err ]; }
intact_json() {
	sandrec verify --json tree && ended "exit 0" &&
		json "v['intact'] and not v['cut'] and v['files'] == v['good_files'] > 2 and len(v['processes']) == 4"
}
# broken NAME MESSAGE COMMAND...: a copy of the recording, changed by COMMAND, is found out
broken() {
	rm -rf broken && cp -a tree broken && (cd broken && "${@:2}") || return
	sandrec verify -q broken && ended "exit 1" && says "^sandrec: broken: $1" && [ ! -s last.out ] &&
		sandrec verify --json broken && ended "exit 1" && json "not v['intact'] and v['problems']"
}
flip() { # flip FILE OFFSET: one bit
	local byte
	chmod u+w "$1" && byte=$(od -An -tu1 -j"$2" -N1 "$1") && printf "\\x$(printf %02x $((byte ^ 16)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
first_stream() { printf '%s\n' events.* | head -n 1; }
biggest_file() { printf 'files/%s\n' "$(ls -S files | head -n 1)"; }
flip_stream() { flip "$(first_stream)" 3000; }
flip_head() { flip "$(first_stream)" 50; }
flip_file() { flip "$(biggest_file)" 70000; }
lose_file() { rm -f "$(biggest_file)"; }
lose_stream() { rm "$(first_stream)"; }
cut_stream() { truncate -s -100 "$(first_stream)"; }
drop_frames() { truncate -s 32 "$(first_stream)"; }
bad_manifest() { echo '{' >manifest; }
check "verify: a whole recording" intact
check "verify --json" intact_json
check "verify: a flipped bit in the events" broken "process [0-9]+: trace damaged" flip_stream
check "verify: a flipped bit in a frame's header" broken "process [0-9]+: trace damaged" flip_head
check "verify: a flipped bit in a file" broken "the recorded copy of /.* is damaged" flip_file
check "verify: a file that is gone" broken "the recorded copy of /.* is missing" lose_file
check "verify: events that are gone" broken "process [0-9]+: its events are missing" lose_stream
check "verify: events cut off" broken "process [0-9]+: recording cut" cut_stream
check "verify: frames cut off" broken "process [0-9]+: 0 events, but the manifest says [0-9]+" drop_frames
check "verify: a damaged manifest" broken "manifest" bad_manifest
mkdir empty && echo '{' >empty/manifest
not_a_trace() { sandrec verify empty; ended "exit 1"; }
check "verify: nothing in it" not_a_trace

done_testing
