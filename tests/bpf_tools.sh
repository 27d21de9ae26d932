#!/bin/bash
# Programs that people use bpf with: one built with libbpf, bpftool, bpftrace. Replayed without bpf, tracefs and root's rights.
. "$(dirname "$0")/lib.sh"
require_sandrec

reason=$("$top_builddir/tests/bpf/bin/probe") || skip_all "$reason"
under=("$top_builddir/tests/tools/no_bpf")
seconds=150

# The tracing files are the tests' own mount where the system has none.
tracing=/sys/kernel/tracing
if [ ! -e $tracing/events ] && [ -z "${SANDREC_TEST_MOUNTED-}" ]; then
	export SANDREC_TEST_MOUNTED=1
	if unshare -m mount -t tracefs tracefs $tracing 2>/dev/null; then
		rm -rf "$T"
		exec unshare -m bash -c 'mount -t tracefs tracefs "$1" && exec bash "$2"' - $tracing "$0"
	fi
fi

# ---- libbpf ----

build_program() {
	local from=$top_srcdir/tests/bpf/libbpf to=$T/libbpf
	mkdir "$to" &&
		bpftool btf dump file /sys/kernel/btf/vmlinux format c >"$to/vmlinux.h" &&
		clang -g -O2 -target bpf -D__TARGET_ARCH_x86 -I "$to" -c "$from/everything.bpf.c" -o "$to/everything.bpf.o" &&
		bpftool gen skeleton "$to/everything.bpf.o" name everything_bpf >"$to/everything.skel.h" &&
		gcc -O1 -I "$to" "$from/everything.c" -o "$to/everything" -lbpf
}

name="a program with libbpf: relocations, kernel functions, globals, ring buffer, timer"
if ! have clang || ! have bpftool || [ ! -e /usr/include/bpf/libbpf.h ]; then
	skip "$name" "clang, bpftool or libbpf-dev is missing"
elif [ ! -r /sys/kernel/btf/vmlinux ]; then
	skip "$name" "the kernel has no types (CONFIG_DEBUG_INFO_BTF)"
elif ! build_program >"$T/build.log" 2>&1; then
	not_ok "$name"
	show_file "$T/build.log"
elif ! "$T/libbpf/everything" >"$T/build.log" 2>&1; then
	skip "$name" "this kernel cannot: $(head -n 1 "$T/build.log")"
else
	same_three "$name" "$T/libbpf/everything"
fi

# ---- bpftool ----

tool() {
	if have bpftool; then same_replays "$*" "$@"; else skip "$*" "no bpftool"; fi
}
tool bpftool prog
tool bpftool -j map
tool bpftool btf list
tool bpftool feature probe
if [ -r /sys/kernel/btf/vmlinux ]; then
	tool bpftool btf dump file /sys/kernel/btf/vmlinux format raw
else
	skip "bpftool btf dump" "the kernel has no types (CONFIG_DEBUG_INFO_BTF)"
fi

# ---- bpftrace ----

trace() {
	if ! have bpftrace; then
		skip "bpftrace $1" "no bpftrace"
	elif [ ! -e $tracing/events ]; then
		skip "bpftrace $1" "no tracefs"
	elif ! bpftrace -e 'BEGIN { exit(); }' >"$T/probe.log" 2>&1; then
		skip "bpftrace $1" "it does not work here: $(head -n 1 "$T/probe.log")"
	else
		same_replays "bpftrace $1" bpftrace -e "$2"
	fi
}
# shellcheck disable=SC2016
{
trace "BEGIN and END" 'BEGIN { printf("hello %d\n", pid); exit(); } END { printf("over\n"); }'
trace "intervals" 'interval:ms:100 { @n = count(); printf("%d\n", nsecs); } interval:s:1 { exit(); }'
trace "counts by key" 'tracepoint:raw_syscalls:sys_enter { @[comm] = count(); } interval:s:1 { exit(); }'
trace "histograms" 'tracepoint:raw_syscalls:sys_enter { @h = hist(args->id); @l = lhist(cpu, 0, 8, 1); } interval:s:1 { exit(); }'
trace "a stream of lines" 'tracepoint:sched:sched_switch { printf("%s %d\n", args->next_comm, args->next_pid); } interval:s:1 { exit(); }'
(while :; do :; done) & load=$!
(while :; do cat /proc/self/status >/dev/null; done) & more=$!
trace "5 seconds under load" 'tracepoint:raw_syscalls:sys_exit { @[comm] = count(); @us = hist(nsecs / 1000); } interval:ms:200 { print(@); } interval:s:5 { exit(); }'
kill $load $more
wait $load $more 2>/dev/null
}

done_testing
