#!/bin/bash
# Replay where the program takes recorded results by itself, from a ring: it ends, and fails, as a replay without it.
. "$(dirname "$0")/lib.sh"
require_sandrec

edit=$top_builddir/tests/tools/trace_edit
seconds=180
cd "$T" || exit 99

# both TRACE: replayed with and without it; what it says and how it ends must be the same.
both() {
	SANDREC_FAST_PATH=always limited "$T/with" "$SANDREC" replay "$1" </dev/null
	SANDREC_FAST_PATH=never limited "$T/without" "$SANDREC" replay "$1" </dev/null
	same_output "$T/without" "$T/with"
}

mkdir "$work" && cd "$work" || exit 99
SANDREC_FAST_PATH=always limited "$T/recorded" "$SANDREC" run -o "$T/trace" -- "$guest_bin/ring_calls" </dev/null
cd "$T" || exit 99
whole() { both trace && same_output "$T/recorded" "$T/with" && [ "$(cat "$T/with.status")" = "exit 0" ]; }
check "the recording used below" whole

### a recording that says something else: found at that event, with the same words
changed() { # WORDS EDIT...
	local words=$1
	shift
	rm -rf damaged && cp -a trace damaged && "$edit" damaged "$@" && both damaged || return 1
	[ "$(cat "$T/with.status")" = "exit 70" ] && grep -q "$words" "$T/with.err" || { diag "$(cat "$T/with.err")"; return 1; }
}
calls() { "$SANDREC" dump --syscall "$1" trace | sed 's/ .*//'; }
n=$(calls getppid | sed -n 1800p)
for reg in rax rbx rdx rsi rdi rbp rsp r8 r9 r10 r12 r13 r14 r15 fs_base; do
	check "$reg changed in event $n" changed "divergence at event $n " setreg "$n" $reg 77
done
n=$(calls newfstatat | sed -n 1501p)
for reg in rbx r15; do check "$reg changed in event $n" changed "divergence at event $n " setreg "$n" $reg 77; done
n=$(calls read | sed -n 801p)
check "event $n removed" changed "divergence at event $n " drop "$n"
n=$(calls clock_gettime | tail -n 1)
check "event $n, the last of its kind, changed" changed "divergence at event $n " setreg "$n" rsi 4096

### damage, and recordings that were cut
size=$(stat -c %s trace/events.1)
for part in 30 60 95; do
	cut() { rm -rf damaged && cp -a trace damaged && truncate -s $((size * part / 100)) damaged/events.1 && both damaged; }
	check "cut off at $part %" cut
	flipped() { rm -rf damaged && cp -a trace damaged && "$edit" damaged flip $((size * part / 100)) && both damaged; }
	check "a bit flipped at $part %" flipped
done

### a debugger goes to events in the middle, and back
cat >seek.py <<'END'
import gdb
def at(n):
    gdb.execute('monitor seek %d' % n, to_string=True)
    gdb.execute('maintenance flush register-cache', to_string=True)
    print(n, gdb.execute('monitor when', to_string=True).strip(), hex(int(gdb.parse_and_eval('(long)$pc'))),
          int(gdb.parse_and_eval('(long)$rbx')))
for n in (3000, 8000, 8001, 5999, 8001, 2000):
    at(n)
END
debugged() {
	SANDREC_FAST_PATH=$1 limited "$T/debug.$1" "$SANDREC" gdb -q trace -- -nx -batch -x seek.py </dev/null
	[ "$(cat "$T/debug.$1.status")" = "exit 0" ] && grep -c '^8001 event 8001 ' "$T/debug.$1.out" | grep -qx 2
}
seeks() { debugged always && debugged never && cmp "$T/debug.always.out" "$T/debug.never.out"; }
if have gdb; then check "a debugger goes to events in the middle" seeks
else skip "a debugger goes to events in the middle" "no gdb"; fi

### a program that writes to the ring's pages itself
cat >scribble.c <<'END'
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static sigjmp_buf out;
static void fault(int sig) { (void)sig; siglongjmp(out, 1); }
int main(int argc, char **argv)
{
	unsigned from = (unsigned)atoi(argv[1]), to = (unsigned)atoi(argv[2]), seed = 1;
	long sum = 0;
	signal(SIGSEGV, fault);
	for (volatile int i = 0; i < 20000; i++) {
		sum += getppid() > 0;
		if (i % 3 || sigsetjmp(out, 1))
			continue;
		seed = seed * 1103515245 + 12345;
		*(volatile uint32_t *)(0x7f0000201000 + from + seed / 4 % (to - from) / 4 * 4) = seed >> 7;
	}
	printf("%ld %d\n", sum, argc);
	return 0;
}
END
# Its own replay may differ, which is then said; nothing else may happen.
scribbles() {
	rm -rf scribbled
	SANDREC_FAST_PATH=always limited "$T/recorded" "$SANDREC" run -o scribbled -- ./scribble "$@" </dev/null
	SANDREC_FAST_PATH=always limited "$T/with" "$SANDREC" replay scribbled </dev/null
	SANDREC_FAST_PATH=never limited "$T/without" "$SANDREC" replay scribbled </dev/null
	for run in recorded with without; do
		case $(cat "$T/$run.status") in
		"exit 0") ;;
		"exit 70") grep -q 'divergence at event' "$T/$run.err" && [ $run != recorded ] || return 1 ;;
		"signal"*) [ $run = recorded ] || [ "$(cat "$T/recorded.status")" != "exit 0" ] || return 1 ;;
		*) diag "$run: $(cat "$T/$run.status")"; cat "$T/$run.err"; return 1 ;;
		esac
	done
}
cc -O1 -o scribble scribble.c || exit 99
check "the head is scribbled over" scribbles 384 388
check "the tail" scribbles 260 264
check "all words around them" scribbles 256 512
check "the slots" scribbles 4096 69632

done_testing
