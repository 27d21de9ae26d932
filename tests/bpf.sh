#!/bin/bash
# bpf(2): raw calls of every command, native = recorded = replayed. The replays run without the capabilities for bpf and
# under a filter that kills whoever calls it.
. "$(dirname "$0")/lib.sh"
require_sandrec

bpf_bin=$top_builddir/tests/bpf/bin
no_bpf=$top_builddir/tests/tools/no_bpf
reason=$("$bpf_bin/probe") || skip_all "$reason"

under=("$no_bpf")

# The filter does kill.
"$no_bpf" "$bpf_bin/probe" >/dev/null 2>&1
check "bpf kills where it is forbidden" test $? = 159

for prog in "$bpf_bin"/*; do
	name=${prog##*/}
	case $name in
	probe | arena) continue ;;
	esac
	same_plain "$name, without recording" "$prog"
	same_three "$name" "$prog"
done

# What cannot be recorded is refused with an error, which is recorded.
arena_refused() {
	"$bpf_bin/arena" >"$T/native" && fresh_work && "$SANDREC" run -q -o "$T/arena" -- "$bpf_bin/arena" >"$T/out" || return 1
	[ "$(grep -c '^mapped: EOPNOTSUPP$' "$T/out")" = 2 ] || { cat "$T/native" "$T/out"; return 1; }
	"${under[@]}" "$SANDREC" replay "$T/arena" >"$T/again" && cmp "$T/out" "$T/again"
}
name="mapping an arena is refused"
if "$bpf_bin/arena" | grep -q '^no arena'; then
	skip "$name" "$("$bpf_bin/arena" | head -n 1)"
else
	check "$name" arena_refused
fi

# What the calls were is in the recording.
dump_shows() {
	rm -rf "$T/trace"
	mkdir -p "$work" && cd "$work" || return 1
	"$SANDREC" run -o "$T/trace" -- "$bpf_bin/$1" >"$T/out" && "$SANDREC" dump --syscall bpf "$T/trace" >"$T/dump" || return 1
	shift
	for text; do
		grep -qF -- "$text" "$T/dump" || { echo "not in the dump: $text"; return 1; }
	done
}
# The same loader, and another answer: what the verifier said is the first thing that differs.
verdicts() {
	rm -rf "$T/allowed" "$T/refused"
	"$bpf_bin/verdict" map 8 "$SANDREC" run -q -o "$T/allowed" -- "$bpf_bin/verdict" load >"$T/out" &&
		"$bpf_bin/verdict" map 4 "$SANDREC" run -q -o "$T/refused" -- "$bpf_bin/verdict" load >>"$T/out" || return 1
	[ "$(cat "$T/out")" = "$(printf 'loaded\nrefused')" ] || { cat "$T/out"; return 1; }
	"$SANDREC" diff "$T/allowed" "$T/refused" >"$T/diff"
	[ "$(grep -c '' "$T/diff")" -gt 4 ] && [ "$(grep '^[-+]' "$T/diff" | sed -n 's/^\([-+]\)[0-9]* \(bpf(BPF_PROG_LOAD\).*/\1\2/p; 3q')" = "$(printf -- '-bpf(BPF_PROG_LOAD\n+bpf(BPF_PROG_LOAD')" ] &&
		grep '^[-+]' "$T/diff" | sed -n '3,20p' | grep -q '^+    | invalid access to map value, value_size=4 off=0 size=8' || { cat "$T/diff"; return 1; }
	"$SANDREC" diff --json "$T/allowed" "$T/refused" | grep -q '"invalid access to map value'
}
check "diff shows first where two verifier logs differ" verdicts
check "dump names programs and shows the verifier's log" dump_shows progs \
	'bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_SOCKET_FILTER, prog_name="logs", insn_cnt=2, license="GPL", log_level=2' \
	'log_true_size=0 => ' '    | R3 !read_ok' '    | 0: (bf) r0 = r3' 'BPF_PROG_STREAM_READ_BY_FD' 'retval=0 => 100'
json_has_log() {
	"$SANDREC" dump --json --syscall bpf "$T/trace" | grep -q '"log":"func#0 @0\\n'
}
check "and so does dump --json" json_has_log
check "dump shows maps, keys and values" dump_shows maps \
	'bpf(BPF_MAP_CREATE, {map_type=BPF_MAP_TYPE_LPM_TRIE, key_size=8, value_size=4, max_entries=10, map_flags=BPF_F_NO_PREALLOC}' \
	'key="\7\0\0\0", value="hello world\0", flags=BPF_NOEXIST}, 144) = -1 EEXIST' 'bpf(BPF_MAP_LOOKUP_BATCH, {map_fd=' 'count=60 => 40'
check "dump shows commands of any kind" dump_shows links \
	'pathname="fs/map"' 'attach_type=BPF_CGROUP_DEVICE' 'name="sys_enter"' 'BPF_ITER_CREATE, {link_fd='

done_testing
