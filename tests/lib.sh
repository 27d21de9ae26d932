# shellcheck shell=bash
# Shell side of the tests: TAP output, and the comparison native = recorded = replayed that most of them consist of.
# A test sources this file, calls the functions below and ends with `done_testing`.
#
# Variables a test may set before same_three (they stay until changed):
#   setup    a function or command, run in the new empty work directory before the native and before the recorded run
#   input    file given as standard input (default: /dev/null)
#   seconds  time limit of each run (default: 180)
#   under    a command that replays are run by, as an array (default: none)

: "${top_builddir:=$PWD}" "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${SANDREC:=$top_builddir/sandrec}" "${SANDREC_BUILT_SANITIZERS:=no}"
limit_tool=$top_builddir/tests/tools/limit
guest_bin=$top_builddir/tests/guest/bin
export LC_ALL=C TZ=UTC
# The system's own programs: a version manager's wrapper of python3 is a script that executes others.
PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
unset MAKEFLAGS MAKELEVEL MFLAGS

tests_run=0 tests_failed=0
setup=: input=/dev/null seconds=180 under=()

T=$(mktemp -d "${TMPDIR:-/var/tmp}/sandrec-test.XXXXXX") || exit 99
work=$T/work # where the programs run: removed and made again for each run, so that paths in outputs agree
finish() { chmod -R u+rwX "$T" 2>/dev/null; rm -rf "$T"; }
trap finish EXIT
trap 'exit 99' INT TERM HUP

diag() { printf '# %s\n' "$@"; }
ok() { tests_run=$((tests_run + 1)); printf 'ok %d - %s\n' $tests_run "$1"; }
not_ok() { tests_run=$((tests_run + 1)) tests_failed=$((tests_failed + 1)); printf 'not ok %d - %s\n' $tests_run "$1"; }
skip() { tests_run=$((tests_run + 1)); printf 'ok %d - %s # SKIP %s\n' $tests_run "$1" "$2"; }
skip_all() { printf '1..0 # SKIP %s\n' "$1"; exit 0; }
bail_out() { printf 'Bail out! %s\n' "$1"; exit 99; }
done_testing() { printf '1..%d\n' $tests_run; exit $((tests_failed > 0)); }

# check NAME COMMAND...: one line, by the exit status of COMMAND, whose output is shown when it fails.
check() {
	local name=$1
	shift
	if "$@" >"$T/check.out" 2>&1; then ok "$name"; else not_ok "$name"; show_file "$T/check.out"; fi
}

show_file() { [ -s "$1" ] && head -c 2000 "$1" | tr -c '[:print:]\n' '?' | head -n 20 | sed 's/^/#   /'; }

require_sandrec() {
	[ -x "$SANDREC" ] || bail_out "$SANDREC has not been built"
	case $SANDREC_BUILT_SANITIZERS in
	*address*) skip_all "AddressSanitizer keeps its shadow memory where the guest's addresses are" ;;
	esac
	[ -e /dev/kvm ] || skip_all "no /dev/kvm"
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "no permission to use /dev/kvm"
}

have() { command -v "$1" >/dev/null 2>&1; }

# limited OUT COMMAND...: runs COMMAND with the time limit; leaves OUT.out, OUT.err and OUT.status.
limited() {
	local out=$1
	shift
	"$limit_tool" "$seconds" "$out.status" "$@" >"$out.out" 2>"$out.err"
}

fresh_work() {
	rm -rf "$work" "$T/gone"
	mkdir "$work" && cd "$work" && $setup || return 1
	unset OLDPWD # it is in the environment of the programs and differs from run to run
}

# same_output A B: whether both runs printed and ended alike; says what differs.
same_output() {
	local what
	for what in status out err; do
		cmp -s "$1.$what" "$2.$what" && continue
		diag "$what differs between ${1##*/} and ${2##*/}: $(cmp "$1.$what" "$2.$what" 2>&1 | sed "s|$T/||g")"
		diag "${1##*/}: $(cat "$1.status"), ${2##*/}: $(cat "$2.status")"
		diff -a "$1.$what" "$2.$what" 2>/dev/null | head -c 1000 | tr -c '[:print:]\n' '?' | head -n 8 | sed 's/^/#   /'
		case ${2##*/} in native) ;; *) show_file "$2.err" ;; esac
		return 1
	done
}

run_native() {
	fresh_work || return 1
	limited "$T/native" "$@" <"$input"
	case $(cat "$T/native.status") in timeout) diag "native: more than $seconds s"; return 1 ;; esac
}

run_recorded() {
	rm -rf "$T/trace"
	fresh_work || return 1
	limited "$T/recorded" "$SANDREC" run -o "$T/trace" -- "$@" <"$input"
	cd "$T" || return 1
}

# Replays where nothing of the recording is left: the work directory is gone, the place and the environment are others.
run_replays() {
	mv "$work" "$T/gone" && mkdir -p "$T/elsewhere" || return 1
	cd / && limited "$T/replay1" "${under[@]}" "$SANDREC" replay "$T/trace" </dev/null
	cd "$T/elsewhere" && limited "$T/replay2" env -i PATH=/nowhere TZ=Asia/Tokyo LANG=xx HOME=/nowhere \
		"${under[@]}" "$SANDREC" replay "$T/trace" </dev/null
	cd "$T" || return 1
}

same_three_quietly() {
	run_native "$@" && run_recorded "$@" && same_output "$T/native" "$T/recorded" || return 1
	run_replays && same_output "$T/native" "$T/replay1" && same_output "$T/native" "$T/replay2"
}

# same_three NAME PROG [ARG...]: native, recorded and two replays print the same bytes and end the same way.
same_three() {
	local name=$1
	shift
	if same_three_quietly "$@" >"$T/same.log"; then ok "$name"; else not_ok "$name"; cat "$T/same.log"; fi
	rm -rf "$T/trace"
}

# same_replays NAME PROG [ARG...]: the same for a program whose output is never twice the same: the recorded run is the
# measure. It must end with exit status 0.
same_replays() {
	local name=$1
	shift
	if { run_recorded "$@" && run_replays && same_output "$T/recorded" "$T/replay1" &&
		same_output "$T/recorded" "$T/replay2"; } >"$T/same.log" && [ "$(cat "$T/recorded.status")" = "exit 0" ]; then
		ok "$name"
	else
		not_ok "$name"
		diag "recorded: $(cat "$T/recorded.status")"
		show_file "$T/recorded.err"
		[ "$(cat "$T/recorded.status")" = "exit 0" ] || show_file "$T/recorded.out"
		cat "$T/same.log"
	fi
	rm -rf "$T/trace"
}

# same_plain NAME PROG [ARG...]: the same, in the virtual machine but without a recording.
same_plain() {
	local name=$1
	shift
	if run_native "$@" >"$T/same.log" && fresh_work &&
		{ limited "$T/plain" "$SANDREC" run --no-record -- "$@" <"$input"
		  same_output "$T/native" "$T/plain" >>"$T/same.log"; }; then
		ok "$name"
	else
		not_ok "$name"
		cat "$T/same.log"
	fi
	cd "$T" || exit 99
}

# crossed PROG RECORDED REPLAYED: a recording is the same with the fast path and without. Both are values of SANDREC_FAST_PATH, which
# stays set.
crossed() {
	run_native "$guest_bin/$1" || return 1
	export SANDREC_FAST_PATH=$2
	run_recorded "$guest_bin/$1" && same_output "$T/native" "$T/recorded" || return 1
	export SANDREC_FAST_PATH=$3
	cd "$T" && limited "$T/replay1" "$SANDREC" replay "$T/trace" </dev/null && same_output "$T/native" "$T/replay1"
}

# recorded_by_exits PROG: into $T/trace, where the option stands against the environment
recorded_by_exits() {
	rm -rf "$T/trace"
	SANDREC_FAST_PATH=always limited "$T/recorded" "$SANDREC" run --no-fast-path -o "$T/trace" -- "$guest_bin/$1" </dev/null
	[ "$(cat "$T/recorded.status")" = "exit 0" ]
}
