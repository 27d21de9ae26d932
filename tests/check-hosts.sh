#!/bin/bash
# Runs tests/check-hosts-job.sh, with programs to record and replay, on emulated machines that have a stock kvm_amd and a
# stock kvm_intel, and tests/check-branches-job.sh where guests have a performance counter. `make check-hosts` calls this;
# arguments choose the machines ("--amd", "--intel --kvm ept=0", "branches SKID PROCESSORS").
. "$(dirname "$0")/lib.sh"
hosts=${SANDREC_HOSTS:-$top_srcdir/../shared/hosts}
[ -x "$SANDREC" ] || bail_out "$SANDREC has not been built"
case $SANDREC_BUILT_SANITIZERS in no) ;; *) skip_all "a sandrec with sanitizers is not static" ;; esac
[ -x "$hosts/emulated-kvm" ] || skip_all "no $hosts/emulated-kvm (set SANDREC_HOSTS to the folder that has it)"

# Everything the job finds in its directory and that is a test program is run there.
programs=("$guest_bin"/hello "$guest_bin"/hello.static "$guest_bin"/hello.static-pie)
# Without those whose native run is no measure there: their kernel has no vsyscall page, QEMU says "read" in the error
# code of a page fault by an instruction that reads and writes, and lets reserved bits of MXCSR be restored, and
# a storm of timer signals depends on the speed of the machine.
for p in "$guest_bin"/{fault_,sig_}* "$guest_bin"/{registers,cpuid,cpuid_code,any_cpuid,mmap,tsc,args,any_values}; do
	case $p in *fault_vsyscall | *fault_bus | *sig_sigreturn | *sig_storm) continue ;; esac
	[ -x "$p" ] && programs+=("$p")
done
for p in "$top_builddir"/tests/unit/test_{vmm,vmm_cpu,vm_tables,branches}; do
	[ -x "$p" ] && programs+=("$p")
done

# job_on_host NAME JOB HOST-OPTION... FILE...: passes the job's TAP lines on, renumbered and with the name in front. The
# first $host_words are the options.
job_on_host() {
	local name=$1 job=$2 line
	shift 2
	for _ in 1 2 3; do
		timeout 2400 "$hosts/emulated-kvm" --limit 2100 "${@:1:host_words}" "$job" "${@:host_words+1}" \
			</dev/null 2>&1 | tr -d '\r' >"$T/console"
		# The emulated timer on a loaded machine: it has not begun.
		grep -qa "IO-APIC + timer doesn't work" "$T/console" || break
	done
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

on_host() {
	local name=${1#--} host_words=$#
	[ $# -gt 1 ] && name="$1 ${*: -1}" && name=${name#--}
	job_on_host "$name" "$top_srcdir/tests/check-hosts-job.sh" "$@" "$SANDREC" "${programs[@]}"
}

# The branch clock, on a machine whose counter interrupts up to SKID branches late.
branches() { # SKID PROCESSORS
	local host_words=5
	{ echo "TIMES=${SANDREC_BRANCHES_TIMES:-3}"; cat "$top_srcdir/tests/check-branches-job.sh"; } >"$T/job.sh"
	job_on_host "branch clock, skid $1, $2 cpus" "$T/job.sh" --amd --skid "$1" --smp "$2" "$SANDREC" \
		"$guest_bin"/{hello,any_race,async_loops,async_storm} "$top_builddir/tests/unit/test_branches"
}

if [ "${1-}" = branches ]; then
	branches "${2:-5}" "${3:-1}"
elif [ $# -gt 0 ]; then
	on_host "$@"
else
	on_host --amd
	on_host --amd --kvm npt=0
	on_host --intel
	on_host --intel --kvm ept=0
	for skid in 0 5 100; do
		branches $skid 1
		branches $skid 2
	done
fi
done_testing
