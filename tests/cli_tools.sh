#!/bin/bash
# The commands that read, compare, move and show recordings: stat.
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

done_testing
