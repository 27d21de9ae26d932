#!/bin/bash
# gdb on recordings, driven by the scripts in tests/gdb: each writes its results to a file.
. "$(dirname "$0")/lib.sh"
require_sandrec
have gdb || skip_all "no gdb"
gdb -batch -ex 'python print(1)' 2>/dev/null | grep -qx 1 || skip_all "this gdb has no python"
CC=${CC:-cc}
have "$CC" || skip_all "no C compiler"
here=$(cd "$top_srcdir" && pwd)/tests/gdb
export HOME=$T # no settings of anybody's
seconds=300
places=16 steps=40
[ -z "${SANDREC_TEST_FULL-}" ] || places=5000 steps=2000 seconds=7200

# compile NAME [OPTION...]: $T/NAME from tests/gdb/NAME.c
compile() {
	local name=$1
	shift
	cp "$here/$name.c" "$T/" && (cd "$T" && "$CC" -g -O0 -o "$name" "$name.c" "$@") || bail_out "cannot compile $name.c"
}

# record NAME: the trace $T/NAME.trace
record() {
	fresh_work
	limited "$T/record" "$SANDREC" run -o "$T/$1.trace" -- "$T/$@" </dev/null
	cd "$T" || exit 99
}

# script PROGRAM SCRIPT [ARG...]: results of tests/gdb/SCRIPT.py as test lines; ARG are sandrec's
script() {
	local program=$1 name=$2 line number
	shift 2
	rm -f "$T/results"
	RESULTS=$T/results SOURCE=$T/$program.c limited "$T/gdb" "$SANDREC" gdb "$@" "$T/$program.trace" -- -nx -batch \
		-ex "python sys.dont_write_bytecode = True" -ex "python sys.path.insert(0, '$here')" -x "$here/$name.py" </dev/null
	while read -r line; do
		case $line in
		'ok - '*) ok "$name: ${line#ok - }" ;;
		'not ok - '*) not_ok "$name: ${line#not ok - }" ;;
		'#'*) printf '%s\n' "$line" ;;
		done) number=all ;;
		esac
	done <"$T/results"
	if [ "${number-}" = all ]; then
		ok "$name: to its end"
	else
		not_ok "$name: to its end ($(cat "$T/gdb.status"))"
		tail -n 30 "$T/gdb.out" | sed 's/^/# /'
		sed 's/^/# /' "$T/gdb.err"
	fi
}

compile target
record target
rm -f "$T/target" # its symbols are in the recording
script target basic
script target reverse
script target change

compile users -pthread
record users
script users users
compile threads -pthread
record threads
script threads threads
compile jobs -w
record jobs
script jobs jobs
compile shared
record shared
script shared shared
compile tree
record tree
script tree tree
script tree child -p "$("$SANDREC" ps "$T/tree.trace" | awk '/tree$/ { print $1 }')"
compile hot
record hot
script hot hot
compile sites
SANDREC_FAST_PATH=always record sites
script sites sites
compile endless
record endless
script endless interrupt

# Places chosen at random, without gdb: steps forwards and back lead through the same states.
exact() {
	check "exact steps: $1" python3 "$top_srcdir/tests/tools/gdb_exact.py" "$SANDREC" "$T/$1.trace" "$places" "$steps" $RANDOM
}
exact target
exact threads
# The shell, and where it is there a database.
limited "$T/record" "$SANDREC" run -o "$T/shell.trace" -- bash -c 'for i in 1 2 3 4 5 6 7 8 9; do x=$((x * 7 + i)) a[$i]=$(echo $x); done; echo ${a[*]}'
exact shell
if have sqlite3; then
	limited "$T/record" "$SANDREC" run -o "$T/database.trace" -- sqlite3 :memory: "create table t(a integer primary key, b text);
		with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) insert into t select x, hex(x * x) from c;
		create index i on t(b); select count(*), sum(a) from t where b like '%3%';" </dev/null
	exact database
fi
# lldb, where it is there: it attaches to what `serve` prints, stops at a breakpoint, goes on.
if have lldb; then
	"$SANDREC" serve -q --once --listen 127.0.0.1:0 "$T/users.trace" >"$T/serve.out" 2>&1 &
	served=$!
	for _ in $(seq 100); do grep -q listening "$T/serve.out" && break; sleep 0.1; done
	limited "$T/lldb" lldb --no-lldbinit --batch -o "target create $T/users" -o "gdb-remote $(sed -n 's/.*listening on //p' "$T/serve.out")" \
		-o 'breakpoint set -n fact' -o continue -o bt -o 'frame variable' -o 'breakpoint delete 1' -o finish -o 'thread step-over' \
		-o 'process detach' </dev/null
	kill "$served" 2>/dev/null
	wait "$served" 2>/dev/null
	for what in 'attaches:stop reason = signal SIGTRAP' 'stops at a breakpoint:stop reason = breakpoint 1.1' \
		'sees the stack:frame #1: .*main' 'sees variables:n = 5' 'finishes:Return value: .* = 120' 'steps:stop reason = step over'; do
		check "lldb ${what%%:*}" grep -q -- "${what#*:}" "$T/lldb.out"
	done
fi
check "a hostile client" python3 "$top_srcdir/tests/tools/gdb_hostile.py" "$SANDREC" "$T/target.trace"
done_testing
