#!/bin/bash
# The CPU that programs see is the recorded one, whichever processor they run on, and the one asked for with --cpu.
. "$(dirname "$0")/lib.sh"
require_sandrec
have taskset || skip_all "no taskset"

loader=/lib64/ld-linux-x86-64.so.2
prog=$guest_bin/any_cpuid
cpus=$(nproc)

# record CPU OUT [OPTION...] -- PROG...: on that processor.
record() {
	local cpu=$1 out=$2
	shift 2
	rm -rf "$T/$out.trace"
	limited "$T/$out" taskset -c "$cpu" "$SANDREC" run -q -o "$T/$out.trace" "$@" </dev/null
	[ "$(cat "$T/$out.status")" = "exit 0" ] || { cat "$T/$out.status" "$T/$out.err"; return 1; }
}
replay() { limited "$T/$3" taskset -c "$1" "$SANDREC" replay "$T/$2.trace" </dev/null; }

# elsewhere PROG...: recorded on one processor, replayed on another.
elsewhere() {
	record 0 here -- "$@" && replay 1 here there && same_output "$T/here" "$T/there"
}

no_position() {
	record 0 first -- "$prog" && record 1 second -- "$prog" && same_output "$T/first" "$T/second"
}

if [ "$cpus" -ge 2 ]; then
	check "cpuid shows the same on every processor" no_position
	check "all of cpuid, replayed on another processor" elsewhere "$prog"
	check "a static program, replayed on another processor" elsewhere "$prog.static"
	check "code that changes, replayed on another processor" elsewhere "$guest_bin/cpuid_code"
	check "the dynamic loader's choice, replayed on another processor" elsewhere "$loader" --list-diagnostics
	if have openssl; then
		check "openssl, replayed on another processor" elsewhere openssl rand -hex 32
	else
		skip "openssl, replayed on another processor" "no openssl"
	fi
else
	skip "recorded on one processor, replayed on another" "one processor"
fi

# models: x86-64-v2 has no AVX2, and glibc then loads no library made for it.
model_v2() {
	record 0 v2 --cpu=x86-64-v2 -- "$prog" || return 1
	grep -q '^sse4.2: yes' "$T/v2.out" && grep -q '^avx2: no' "$T/v2.out" && grep -q '^avx512f: no' "$T/v2.out" ||
		{ grep : "$T/v2.out" | tail -n 5; return 1; }
	replay $((cpus - 1)) v2 again && same_output "$T/v2" "$T/again"
}
model_v3() {
	record 0 v3 --cpu=x86-64-v3 -- "$prog" || return 1
	grep -q '^avx2: yes' "$T/v3.out" && grep -q '^avx512f: no' "$T/v3.out" ||
		{ grep : "$T/v3.out" | tail -n 5; return 1; }
	replay $((cpus - 1)) v3 again && same_output "$T/v3" "$T/again"
}
loader_levels() {
	record 0 levels --cpu=x86-64-v2 -- "$loader" --help || return 1
	grep -q 'x86-64-v2 (supported' "$T/levels.out" && ! grep -q 'x86-64-v3 (supported' "$T/levels.out" ||
		{ grep x86-64-v "$T/levels.out"; return 1; }
}
for model in v2 v3; do
	if limited "$T/try" "$SANDREC" run --no-record --cpu=x86-64-$model -- /bin/true; [ "$(cat "$T/try.status")" = "exit 0" ]; then
		check "--cpu=x86-64-$model" model_$model
	else
		skip "--cpu=x86-64-$model" "$(head -n 1 "$T/try.err")"
	fi
done
case $($loader --help 2>&1) in
*x86-64-v2*) check "glibc sees the model's level" loader_levels ;;
*) skip "glibc sees the model's level" "this loader shows none" ;;
esac
done_testing
