#!/bin/bash
# run --sandbox=strict: what it refuses, what it lets through, and that all of it is in the recording.
. "$(dirname "$0")/lib.sh"
require_sandrec
escapes=$top_builddir/tests/sandbox/bin/escapes

limited "$T/tried" "$SANDREC" run -q --no-record --sandbox=strict -- /bin/true </dev/null
[ "$(cat "$T/tried.status")" = "exit 0" ] || skip_all "$(sed -n 's/^sandrec: //p' "$T/tried.err" | head -n 1)"

dirs() {
	rm -rf "$work" "$T/trace"
	mkdir -p "$work/outside/empty" "$work/inside" && echo victim >"$work/outside/victim" && chmod 644 "$work/outside/victim"
}
sandboxed() { limited "$T/recorded" "$SANDREC" run -q --sandbox=strict -o "$T/trace" "$@" </dev/null; }
untouched() {
	[ "$(ls "$work/outside")" = "$(printf 'empty\nvictim')" ] && [ "$(cat "$work/outside/victim")" = victim ] &&
		[ "$(stat -c %a "$work/outside/victim")" = 644 ]
}

escape() {
	dirs
	sandboxed --rw "$work/inside" -- "$escapes" "$work/outside" "$work/inside"
	[ "$(cat "$T/recorded.status")" = "exit 0" ] && tail -n 1 "$T/recorded.out" | grep -q '^[0-9]* attempts, 0 escaped$' &&
		untouched || { cat "$T/recorded.status"; grep -E 'ESCAPED|attempts' "$T/recorded.out"; cat "$T/recorded.err"; return 1; }
}
check "a program that tries to get out does not" escape
check "at least 60 attempts" [ "$(tail -n 1 "$T/recorded.out" | cut -d' ' -f1)" -ge 60 ]
same_on_replay() { limited "$T/replayed" "$SANDREC" replay "$T/trace" </dev/null; same_output "$T/recorded" "$T/replayed"; }
check "the recording replays, refusals included" same_on_replay

# What the table has refused is marked; the rest was refused by the kernel or is no call Linux would have made.
listed() {
	local n
	"$SANDREC" dump "$T/trace" >"$T/dump"
	n=$(grep -c ' = -1 EPERM .*(refused by the sandbox)$' "$T/dump")
	[ "$n" -ge 60 ] || { echo "$n"; grep refused "$T/dump" | head; return 1; }
	for call in socket openat unlink rename ptrace unshare bpf kill shmget fchmod; do
		grep -q "$call(.* = -1 EPERM" "$T/dump" || { echo "no $call"; return 1; }
	done
	"$SANDREC" dump --json "$T/trace" | grep -q '"refused": *true'
}
check "the refusals are in the dump" listed

allowed() {
	dirs
	sandboxed --rw "$work/inside" -- /bin/sh -c 'cd "$1" && echo one >a && mkdir d && mv a d/b && cat d/b && ln d/b c && rm c && echo two >d/b && cat d/b >/dev/null' - "$work/inside"
	[ "$(cat "$T/recorded.status")" = "exit 0" ] && [ "$(cat "$work/inside/d/b")" = two ] && [ ! -s "$T/recorded.err" ] || { cat "$T/recorded.err"; return 1; }
}
check "--rw: there files are made, moved and removed as usual" allowed

nothing() {
	dirs
	sandboxed -- /bin/sh -c 'echo one >"$1/a"; cat /etc/passwd | sort | wc -l >/dev/null && exit 7' - "$work/inside"
	[ "$(cat "$T/recorded.status")" = "exit 7" ] && [ -z "$(ls "$work/inside")" ]
}
check "without --rw nothing is written; reading, pipes and processes are as usual" nothing

said() {
	dirs
	sandboxed -v -- /bin/sh -c 'echo one >"$1/a"' - "$work/inside"
	grep -q '^sandrec: process [0-9]*: the sandbox refuses openat: writing outside --rw$' "$T/recorded.err"
}
check "-v says what was refused and why" said

if [ -x /usr/bin/python3 ]; then
	net() {
		dirs
		sandboxed "$@" -- /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print("bound")'
	}
	without() { net && [ "$(cat "$T/recorded.status")" = "exit 1" ] && grep -q PermissionError "$T/recorded.err"; }
	with() { net --allow-net && [ "$(cat "$T/recorded.status")" = "exit 0" ] && [ "$(cat "$T/recorded.out")" = bound ]; }
	check "no sockets" without
	check "--allow-net" with
else
	skip "--allow-net" "no python3"
fi

call() {
	dirs
	sandboxed --rw "$work/inside" "$@" -- /bin/sh -c 'cd "$1" && echo >a && chmod 600 a' - "$work/inside"
}
refused_call() { call && [ "$(cat "$T/recorded.status")" = "exit 1" ]; }
allowed_call() { call --allow=chmod --allow=fchmodat && [ "$(cat "$T/recorded.status")" = "exit 0" ] && [ "$(stat -c %a "$work/inside/a")" = 600 ]; }
check "chmod by path is refused" refused_call
check "--allow" allowed_call

wrong() {
	limited "$T/run" "$SANDREC" run "$@" -- /bin/true </dev/null
	[ "$(cat "$T/run.status")" = "exit 125" ] && [ "$(grep -c '^sandrec: ' "$T/run.err")" = 2 ] || { cat "$T/run.status" "$T/run.err"; return 1; }
}
check "--rw of a place that is not there" wrong --sandbox=strict --rw=/no/such/place
check "--allow of a call that is none" wrong --sandbox=strict --allow=fly
check "--rw without a sandbox" wrong --rw=/tmp
done_testing
