#!/bin/bash
# What a user meets when something is wrong: a clear line, the right exit status, and nothing lost before the fault.
. "$(dirname "$0")/lib.sh"
require_sandrec
edit=$top_builddir/tests/tools/trace_edit
counter=$top_builddir/tests/tools/counter
cd "$T" || exit 99

# run_sandrec ARG...: leaves $T/last.out, .err and .status
run_sandrec() { limited "$T/last" "$SANDREC" "$@" </dev/null; }
ended() { [ "$(cat "$T/last.status")" = "$1" ] || { echo "ended with $(cat "$T/last.status"), not $1"; cat "$T/last.err"; false; }; }
ended_badly() { case $(cat "$T/last.status") in "exit 0" | signal* | timeout) echo "ended with $(cat "$T/last.status")"; cat "$T/last.err"; false ;; esac; }
# says PATTERN: a message of ours with that in it, and few lines altogether
says() {
	grep -a '^sandrec: ' "$T/last.err" | grep -qiE -- "$1" || { echo "no message with '$1':"; cat "$T/last.err"; return 1; }
	[ "$(wc -l <"$T/last.err")" -le 40 ] || { echo "too many lines:"; cat "$T/last.err"; return 1; }
}
# Everything printed is the beginning of what should have been.
is_prefix() { head -c "$(stat -c %s "$1")" "$2" | cmp - "$1"; }

### programs that cannot be run
missing() { run_sandrec run -o t1 -- ./no-such-program; ended "exit 127" && says 'no-such-program'; }
not_executable() { echo text >plain; chmod 644 plain; run_sandrec run -o t2 -- ./plain; ended "exit 126" && says 'plain'; }
directory() { run_sandrec run -o t3 -- /usr; ended "exit 126" && says '/usr'; }
no_format() { printf 'neither\0elf nor script' >odd; chmod 755 odd; run_sandrec run -o t4 -- ./odd; ended "exit 126" && says 'odd'; }
# elf CLASS MACHINE: the header of an executable
elf() { printf '\x7fELF'"$1"'\1\1\0\0\0\0\0\0\0\0\0\2\0'"$2"'\1\0\0\0\x54\x80\4\x08\x34\0\0\0\0\0\0\0\0\0\0\0\x34\0\x20\0\1\0\x28\0\0\0\0\0'; head -c 200 /dev/zero; }
elf32() { elf '\1' '\3\0' >e32; chmod 755 e32; run_sandrec run -o t5 -- ./e32; ended "exit 126" && says '32.bit'; }
foreign() { elf '\2' '\xb7\0' >earm; chmod 755 earm; run_sandrec run -o t6 -- ./earm; ended "exit 126" && says 'earm'; }
cut_elf() { head -c 100 /usr/bin/env >cut; chmod 755 cut; run_sandrec run -o t7 -- ./cut; ended "exit 126" && says 'cut'; }
check "a program that is not there: 127" missing
check "a file that is not executable: 126" not_executable
check "a directory: 126" directory
check "neither ELF nor script: 126" no_format
check "a 32-bit program: 126, and says so" elf32
check "a program for another processor: 126" foreign
check "the first 100 bytes of a program: 126" cut_elf
long_interpreter() { printf '#!/no/such/interpreter\n' >script; chmod 755 script; run_sandrec run -o t8 -- ./script; ended "exit 127" && says 'script|interpreter'; }
check "a script whose interpreter is not there: 127" long_interpreter
scripts() { printf '#!/bin/dash\necho "$0: $*"\nexit 6\n' >script.sh; printf '#! %s  -e\necho second\n' "$PWD/script.sh" >script2; chmod 755 script.sh script2; }
in_work() { scripts; }
setup=in_work
same_three "a script" ./script.sh one 'two three'
same_three "a script whose interpreter is a script" ./script2 four
setup=:
cd "$T" || exit 99

### what this version does not do
refusal() {
	run_sandrec run -v -o t8 -- /usr/bin/perl -e 'exit(syscall(101, 0, 0, 0, 0) == -1 && $!{EPERM} && syscall(101, 0, 0, 0, 0) == -1 ? 4 : 5)'
	ended "exit 4" && [ "$(grep -c '^sandrec: process [0-9]*: ptrace is refused with EPERM: ' last.err)" = 1 ]
}
check "-v says once that ptrace is refused, and why" refusal

### options and arguments
usage() { run_sandrec frobnicate; ended_badly && says 'frobnicate'; }
bad_option() { run_sandrec run --no-such-option -- true; ended_badly && grep -q 'no-such-option' last.err; }
no_command() { run_sandrec run; ended_badly && [ -s last.err ]; }
helps() { run_sandrec --help; ended "exit 0" && grep -q replay last.out && run_sandrec run --help && ended "exit 0" && grep -q -- '-o' last.out; }
version() { run_sandrec --version; ended "exit 0" && grep -qE 'sandrec.* [0-9]+\.' last.out; }
no_trace() { run_sandrec replay "$T/nowhere"; ended_badly && says 'nowhere'; }
not_a_trace() { mkdir -p empty; run_sandrec replay "$T/empty"; ended_badly && says 'empty'; }
file_as_trace() { run_sandrec replay /etc/passwd; ended_badly && says 'passwd'; }
occupied() { run_sandrec run -o /etc/passwd -- true; ended_badly && says 'passwd'; }
check "an unknown command" usage
check "an unknown option" bad_option
check "run without a program" no_command
check "--help" helps
check "--version" version
check "a trace that is not there" no_trace
check "an empty directory as a trace" not_a_trace
check "a file as a trace" file_as_trace
check "a trace directory that cannot be made" occupied

### damaged traces
run_sandrec run -o whole -- "$counter" 20000
good=1
ended "exit 0" >"$T/why" || { good=0; show_file "$T/why"; }
cp last.out whole.out
# The largest file of the trace outside files/ is the event stream.
stream=$(cd whole 2>/dev/null && find . -type f -not -path './files/*' -printf '%s %P\n' | sort -n | tail -n 1 | cut -d' ' -f2)
size=$(stat -c %s "whole/$stream" 2>/dev/null || echo 0)
copy() { rm -rf damaged && cp -a whole damaged; }
replays_whole() { run_sandrec replay whole; ended "exit 0" && cmp last.out whole.out; }
# Either the damage is found, after a correct beginning, or it was in bytes that mean nothing.
damage_found() {
	case $(cat last.status) in signal* | timeout | "exit 70") ended "a clear message"; return 1 ;; esac
	cmp -s last.out whole.out && ended "exit 0" >/dev/null && return 0
	says 'damag|corrupt|checksum|invalid|truncat|cut|ends after' && is_prefix last.out whole.out
}
flipped() {
	copy
	printf "\\x$(printf %02x $((0x$(xxd -s "$1" -l 1 -p "damaged/$stream") ^ 0x10)))" |
		dd of="damaged/$stream" bs=1 seek="$1" conv=notrunc status=none
	run_sandrec replay damaged
	damage_found
}
truncated() {
	copy
	truncate -s "$1" "damaged/$stream"
	run_sandrec replay damaged
	case $(cat last.status) in signal* | timeout | "exit 70") ended "a clear message" ;; esac
	says 'truncat|cut|incomplete|end' && is_prefix last.out whole.out
}
check "the trace used below replays" replays_whole
if [ $good = 1 ] && [ "$size" -gt 1000 ]; then
	have xxd || xxd() { python3 -c 'import sys; f = open(sys.argv[6], "rb"); f.seek(int(sys.argv[2])); print("%02x" % f.read(1)[0])' "$@"; }
	for part in 2 25 50 75 98; do
		check "one bit flipped at $part % of the events" flipped $((size * part / 100))
	done
	for part in 10 50 99; do
		check "events cut off at $part %" truncated $((size * part / 100))
	done
	manifest=$(cd whole && find . -maxdepth 1 -name 'manifest*' -printf '%P\n' | head -n 1)
	bad_manifest() { copy; printf '{"broken": ' >"damaged/$manifest"; run_sandrec replay damaged; ended_badly && says manifest; }
	no_manifest() { copy; rm "damaged/$manifest"; run_sandrec replay damaged; ended_badly && says 'manifest|damaged'; }
	no_files() { copy; rm -rf damaged/files; run_sandrec replay damaged; ended_badly && [ ! -s last.out ] && says 'damaged|missing|files|no such'; }
	check "a manifest that is not JSON" bad_manifest
	check "no manifest" no_manifest
	check "the mapped files gone" no_files
else
	not_ok "damaged traces"
fi
if [ -x "$edit" ]; then
	newer() { copy; "$edit" damaged version 99 && run_sandrec replay damaged; ended_badly && says 'newer|version'; }
	dropped() { copy; "$edit" damaged drop "$1" && run_sandrec replay damaged; ended "exit 70" && says 'event|diverge' && is_prefix last.out whole.out; }
	changed() { copy; "$edit" damaged setreg "$1" rdi 0x1234 && run_sandrec replay damaged; ended "exit 70" && says 'event|diverge' && is_prefix last.out whole.out; }
	check "a trace of a newer format" newer
	for n in 20 300 5000; do
		check "event $n removed: a divergence, 70" dropped $n
		check "a register changed in event $n: a divergence, 70" changed $n
	done
else
	not_ok "traces changed by trace_edit"
fi

### a full disk
if [ "$(id -u)" = 0 ] && mkdir -p small && mount -t tmpfs -o size=12m tmpfs small 2>/dev/null; then
	full_disk() {
		run_sandrec run -o "$T/small/trace" -- "$counter" 40000 noise
		ended "exit 0" && says 'space|full|disk' && [ "$(grep -c . last.out)" = 40000 ] || return 1
		cp last.out all.out
		run_sandrec replay "$T/small/trace"
		case $(cat last.status) in signal* | timeout | "exit 70") ended "a clear message" ;; esac
		is_prefix last.out all.out
	}
	check "a full disk: the program goes on, the trace replays up to there" full_disk
	# What a trace always has (the ring, copies of the program's files) does not fit: there is nothing to go on with.
	no_room() { run_sandrec run -o "$T/small/second" -- "$counter" 10; ended "exit 125" && says 'space|full|disk'; }
	check "no room to begin a recording" no_room
	umount small
else
	skip "a full disk" "needs root, to mount a small tmpfs"
fi

### no /dev/kvm
if unshare -m true 2>/dev/null; then
	without_kvm() {
		limited "$T/last" unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' sh "$SANDREC" run -o "$T/nokvm" -- true
		ended_badly && says '/dev/kvm' && [ "$(wc -l <last.err)" -ge 2 ]
	}
	hidden_kvm() {
		limited "$T/last" unshare -m sh -c 'mount -t tmpfs tmpfs /dev && exec "$@"' sh "$SANDREC" run -o "$T/nokvm2" -- true
		ended_badly && says '/dev/kvm'
	}
	doctor() {
		limited "$T/last" unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' sh "$SANDREC" doctor
		case $(cat last.status) in signal* | timeout) false ;; esac && grep -qi kvm last.out last.err
	}
	check "something else at /dev/kvm: what is wrong and what to do" without_kvm
	check "no /dev/kvm at all" hidden_kvm
	check "doctor without KVM" doctor
else
	skip "no /dev/kvm" "needs root, to hide it"
fi
### recordings stopped while a child ran in its parent's memory

# without HOW: `gone` or `half`: of one child after the other there is no recording, or a part of one
without() {
	local how=$1 n
	for n in children/events.*; do
		n=${n##*.}
		[ "$n" = 1 ] && continue
		rm -rf stopped && cp -a children stopped
		sed -i 's/"complete": true/"complete": false/' stopped/manifest
		if [ "$how" = gone ]; then
			rm "stopped/events.$n"
		else
			truncate -s $(($(stat -c %s "stopped/events.$n") * 2 / 3)) "stopped/events.$n"
		fi
		run_sandrec replay stopped
		ended "exit 0" && ! grep divergence last.err || { echo "without process $n"; return 1; }
	done
}
run_sandrec run -q -o children "$guest_bin/fork_vfork"
cp last.status children.status
check "a recording with vfork" test "$(cat children.status)" = "exit 0"
check "no recording of a child: replay ends there" without gone
check "a part of one" without half

done_testing
