#!/bin/bash
# Runs tests/check-hosts-job.sh, with programs to record and replay, on emulated machines that have a stock kvm_amd and a
# stock kvm_intel. `make check-hosts` calls this; arguments choose the machines ("--amd", "--intel --kvm ept=0").
. "$(dirname "$0")/lib.sh"
hosts=${SANDREC_HOSTS:-$top_srcdir/../shared/hosts}
[ -x "$SANDREC" ] || bail_out "$SANDREC has not been built"
case $SANDREC_BUILT_SANITIZERS in no) ;; *) skip_all "a sandrec with sanitizers is not static" ;; esac
[ -x "$hosts/emulated-kvm" ] || skip_all "no $hosts/emulated-kvm (set SANDREC_HOSTS to the folder that has it)"

# Everything the job finds in its directory and that is a test program is run there.
programs=("$guest_bin"/hello "$guest_bin"/hello.static "$guest_bin"/hello.static-pie)
# Without those whose native run is no measure there: their kernel has no vsyscall page, QEMU says "read" in the error
# code of a page fault by an instruction that reads and writes, and
# a storm of timer signals depends on the speed of the machine.
for p in "$guest_bin"/{fault_,sig_}* "$guest_bin"/{registers,cpuid,cpuid_code,any_cpuid,mmap,tsc,args,any_values}; do
	case $p in *fault_vsyscall | *fault_bus | *sig_storm) continue ;; esac
	[ -x "$p" ] && programs+=("$p")
done
for p in "$top_builddir"/tests/unit/test_{vmm,vm_tables,branches}; do
	[ -x "$p" ] && programs+=("$p")
done

# on_host WORDS...: passes the job's TAP lines on, renumbered and with the machine's name in front.
on_host() {
	local name=${1#--} line
	[ $# -gt 1 ] && name="$1 ${*: -1}" && name=${name#--}
	timeout 1800 "$hosts/emulated-kvm" --limit 1500 "$@" "$top_srcdir/tests/check-hosts-job.sh" "$SANDREC" "${programs[@]}" \
		</dev/null 2>&1 | tr -d '\r' >"$T/console"
	while IFS= read -r line; do
		case $line in
		"ok "*) ok "$name: ${line#ok - }" ;;
		"not ok "*) not_ok "$name: ${line#not ok - }" ;;
		"#"*) printf '%s\n' "$line" ;;
		esac
	done <"$T/console"
	# A machine that hangs or panics must not look like one with fewer tests.
	if grep -qa '^JOB rc=0' "$T/console"; then ok "$name: the job came to its end"; else
		not_ok "$name: the job came to its end"
		tail -n 15 "$T/console" | tr -c '[:print:]\n' '?' | sed 's/^/#   /'
	fi
}

if [ $# -gt 0 ]; then
	on_host "$@"
else
	on_host --amd
	on_host --amd --kvm npt=0
	on_host --intel
	on_host --intel --kvm ept=0
fi
done_testing
