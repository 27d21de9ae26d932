/* Rows: the machine as a whole, and what is refused because no guest may or can have it. */
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

#define GONE REFUSED(ENOSYS, "gone from Linux")
#define NEVER REFUSED(ENOSYS, "never was in Linux on x86-64")
#define PRIVILEGED REFUSED(EPERM, "as for a process without privileges")
#define URING REFUSED(ENOSYS, "writes guest memory on its own; programs fall back")
#define AIO REFUSED(ENOSYS, "writes guest memory on its own; programs fall back")
#define LANDLOCK REFUSED(EOPNOTSUPP, "would confine the recorder too; as on a kernel that has it turned off")

const struct sys_desc sys_rows_admin[] = {
	{ CALL(uname), .serve = SERVE_ANY, .nargs = 1, .arg = { A_PTR }, ZERO, .mem = MEM(OUT(0, SZ(390))) },
	{ CALL(sysinfo), .serve = SERVE_ANY, .nargs = 1, .arg = { A_PTR }, ZERO, .mem = MEM(OUT(0, SZ(112))) },
	{ CALL(getrandom), .serve = SERVE_ANY, .nargs = 3, .arg = { A_PTR, A_SIZE, A_FLAGS }, .ret = RET_LEN, .block = BLOCK_ALWAYS,
	  .nb_arg = 2, .nb_mask = 1, .mem = MEM(OUTG(0, ARG(1), RETVAL)),
	  .names = { [2] = &names_getrandom_flags } },
	{ CALL(syslog), .nargs = 3, .arg = { A_ENUM, A_PTR, A_INT }, .ret = RET_LEN,
	  .mem = MEM(OUTG(1, ARG(2), RETVAL)) },
	{ CALL(sethostname), .nargs = 2, .arg = { A_PTR, A_INT }, ZERO, .mem = MEM(IN(0, ARG(1))) },
	{ CALL(setdomainname), .nargs = 2, .arg = { A_PTR, A_INT }, ZERO, .mem = MEM(IN(0, ARG(1))) },
	{ CALL(acct), .nargs = 1, .arg = { A_PATH }, ZERO },
	{ CALL(vhangup), ZERO },
	{ CALL(reboot), .nargs = 4, .arg = { A_UINT, A_UINT, A_UINT, A_STR }, ZERO, PRIVILEGED,
	  .names = { [2] = &names_reboot_cmd } },
	{ CALL(lsm_get_self_attr), .nargs = 4, .arg = { A_UINT, A_PTR, A_PTR, A_FLAGS },
	  .mem = MEM(OUT(1, DEREF(2, 4)), INOUT_ALWAYS(2, SZ(4))) },
	{ CALL(lsm_set_self_attr), .serve = SERVE_ALTERS, .nargs = 4, .arg = { A_UINT, A_PTR, A_UINT, A_FLAGS }, ZERO,
	  .mem = MEM(IN(1, ARG(2))) },
	{ CALL(lsm_list_modules), .nargs = 3, .arg = { A_PTR, A_PTR, A_FLAGS },
	  .mem = MEM(OUTG(0, DEREF(1, 4), RETX(8)), INOUT_ALWAYS(1, SZ(4))) },
	{ CALL(perf_event_open), .nargs = 5, .arg = { A_PTR, A_PID, A_INT, A_FD, A_FLAGS }, .ret = RET_FD,
	  .mem = MEM({ .dir = MEM_INOUT, .arg = 0, .flags = MEM_ON_ERROR, .cap = LENFN(len_perf_attr) }) },
	{ CALL(bpf), .nargs = 5, .arg = { A_CMD, A_ADDR, A_UINT, A_ADDR, A_UINT }, .level = LEVEL_GENERIC,
	  .sel_ignore = BPF_VARIANT_IGNORE, VARIANTS_OF(bpf) },
	{ CALL(seccomp), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_CMD, A_FLAGS, A_ADDR }, REFUSED(EINVAL, "other commands: as on a kernel without them"),
	  .own_thread = 1, .sel = 0,
	  VARIANTS_OF(seccomp), .names = { [0] = &names_seccomp_op, [1] = &names_seccomp_flags } },
	{ CALL(landlock_create_ruleset), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_FLAGS }, .ret = RET_FD, LANDLOCK },
	{ CALL(landlock_add_rule), .nargs = 4, .arg = { A_FD, A_ENUM, A_ADDR, A_FLAGS }, ZERO, LANDLOCK },
	{ CALL(landlock_restrict_self), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_FD, A_FLAGS }, ZERO, LANDLOCK },

	{ CALL(io_uring_setup), .nargs = 2, .arg = { A_UINT, A_ADDR }, .ret = RET_FD, URING },
	{ CALL(io_uring_enter), .nargs = 6, .arg = { A_FD, A_UINT, A_UINT, A_FLAGS, A_ADDR, A_SIZE }, URING },
	{ CALL(io_uring_register), .nargs = 4, .arg = { A_FD, A_ENUM, A_ADDR, A_UINT }, URING },
	{ CALL(io_setup), .nargs = 2, .arg = { A_UINT, A_ADDR }, ZERO, AIO },
	{ CALL(io_destroy), .nargs = 1, .arg = { A_ADDR }, ZERO, AIO },
	{ CALL(io_getevents), .nargs = 5, .arg = { A_ADDR, A_LONG, A_LONG, A_ADDR, A_ADDR }, AIO },
	{ CALL(io_pgetevents), .nargs = 6, .arg = { A_ADDR, A_LONG, A_LONG, A_ADDR, A_ADDR, A_ADDR }, AIO },
	{ CALL(io_submit), .nargs = 3, .arg = { A_ADDR, A_LONG, A_ADDR }, AIO },
	{ CALL(io_cancel), .nargs = 3, .arg = { A_ADDR, A_ADDR, A_ADDR }, AIO },

	{ CALL(iopl), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_UINT }, ZERO, PRIVILEGED },
	{ CALL(ioperm), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_ULONG, A_ULONG, A_INT }, ZERO, PRIVILEGED },
	{ CALL(init_module), .nargs = 3, .arg = { A_ADDR, A_SIZE, A_STR }, ZERO, PRIVILEGED },
	{ CALL(finit_module), .nargs = 3, .arg = { A_FD, A_STR, A_FLAGS }, ZERO, PRIVILEGED },
	{ CALL(delete_module), .nargs = 2, .arg = { A_STR, A_FLAGS }, ZERO, PRIVILEGED },
	{ CALL(kexec_load), .nargs = 4, .arg = { A_ULONG, A_ULONG, A_ADDR, A_FLAGS }, ZERO, PRIVILEGED },
	{ CALL(kexec_file_load), .nargs = 5, .arg = { A_FD, A_FD, A_ULONG, A_STR, A_FLAGS }, ZERO, PRIVILEGED },
	{ CALL(modify_ldt), .nargs = 3, .arg = { A_ENUM, A_ADDR, A_ULONG },
	  REFUSED(ENOSYS, "no local descriptor table; as on a kernel built without it") },
	{ CALL(uretprobe), REFUSED(ENOSYS, "for the kernel's own probes") },
	{ CALL(uprobe), REFUSED(ENOSYS, "for the kernel's own probes") },

	{ CALL(uselib), .nargs = 1, .arg = { A_STR }, GONE },
	{ CALL(_sysctl), .nargs = 1, .arg = { A_ADDR }, GONE },
	{ CALL(create_module), GONE },
	{ CALL(get_kernel_syms), GONE },
	{ CALL(query_module), GONE },
	{ CALL(nfsservctl), GONE },
	{ CALL(lookup_dcookie), .nargs = 3, .arg = { A_ULONG, A_ADDR, A_SIZE }, GONE },
	{ CALL(getpmsg), NEVER },
	{ CALL(putpmsg), NEVER },
	{ CALL(afs_syscall), NEVER },
	{ CALL(tuxcall), NEVER },
	{ CALL(security), NEVER },
	{ CALL(vserver), NEVER },
	{ CALL(set_thread_area), .nargs = 1, .arg = { A_ADDR }, NEVER },
	{ CALL(get_thread_area), .nargs = 1, .arg = { A_ADDR }, NEVER },
};
ROWS_COUNT(admin);
