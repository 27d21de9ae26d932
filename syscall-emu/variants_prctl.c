/* prctl and seccomp commands. Source: prctl(2), Linux kernel/sys.c, kernel/seccomp.c. */
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "syscall-emu/names_sets.h"
#include "syscall-emu/process.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/variants.h"

/* Missing in older headers. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef PR_GET_SHADOW_STACK_STATUS
#define PR_GET_SHADOW_STACK_STATUS 74
#define PR_SET_SHADOW_STACK_STATUS 75
#define PR_LOCK_SHADOW_STACK_STATUS 76
#endif
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS 77
#endif
#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH 78
#endif
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

#define INT_SIZE SZ(4)
#define ROW(cmd_name, cmd, n, ...) \
	.name = "prctl$" cmd_name, .key = (cmd), .nargs = (n), .arg = { A_CMD, ##__VA_ARGS__ }, .own_thread = 1
#define GET(cmd) { ROW(#cmd, cmd, 1) }
#define SET(cmd) { ROW(#cmd, cmd, 2, A_ULONG) }
#define FIVE(cmd) { ROW(#cmd, cmd, 5, A_ULONG, A_ULONG, A_ULONG, A_ULONG) }
#define GET_INT(cmd) { ROW(#cmd, cmd, 2, A_PTR), .mem = MEM(OUT(1, INT_SIZE)) }
#define REFUSE(cmd, error, why) { ROW(#cmd, cmd, 5, A_ULONG, A_ADDR, A_ADDR, A_ADDR), REFUSED(error, why) }

#define FILTER_NOTE "evaluated by sandrec, not the kernel"
#define OTHER_CPU "another architecture's: as in Linux on x86-64"

const struct sys_desc prctl_variants[] = {
	{ ROW("PR_SET_PDEATHSIG", PR_SET_PDEATHSIG, 2, A_SIG), .emulate = do_prctl_pdeathsig,
	  .level = LEVEL_PARTIAL, .note = "of the first process: remembered, never sent" },
	{ ROW("PR_GET_PDEATHSIG", PR_GET_PDEATHSIG, 2, A_PTR), .emulate = do_prctl_pdeathsig,
	  .mem = MEM(OUT(1, INT_SIZE)) },
	{ ROW("PR_SET_TSC", PR_SET_TSC, 2, A_ULONG), .replay = REDO, .emulate = do_prctl_tsc },
	{ ROW("PR_GET_TSC", PR_GET_TSC, 2, A_PTR), .replay = REDO, .emulate = do_prctl_tsc,
	  .mem = MEM(OUT(1, INT_SIZE)) },
	GET(PR_GET_DUMPABLE),
	SET(PR_SET_DUMPABLE),
	GET_INT(PR_GET_UNALIGN),
	SET(PR_SET_UNALIGN),
	GET(PR_GET_KEEPCAPS),
	SET(PR_SET_KEEPCAPS),
	GET_INT(PR_GET_FPEMU),
	SET(PR_SET_FPEMU),
	GET_INT(PR_GET_FPEXC),
	SET(PR_SET_FPEXC),
	GET(PR_GET_TIMING),
	SET(PR_SET_TIMING),
	{ ROW("PR_SET_NAME", PR_SET_NAME, 2, A_STR), .serve = SERVE_HERE, .mem = MEM(IN(1, CSTR(16))) },
	{ ROW("PR_GET_NAME", PR_GET_NAME, 2, A_PTR), .serve = SERVE_HERE, .mem = MEM(OUT(1, SZ(16))) },
	GET_INT(PR_GET_ENDIAN),
	SET(PR_SET_ENDIAN),
	{ ROW("PR_GET_SECCOMP", PR_GET_SECCOMP, 1), .emulate = do_prctl_get_seccomp },
	{ ROW("PR_SET_SECCOMP", PR_SET_SECCOMP, 3, A_ENUM, A_ADDR), .replay = BOTH, .emulate = do_prctl_set_seccomp,
	  .note = FILTER_NOTE },
	SET(PR_CAPBSET_READ),
	SET(PR_CAPBSET_DROP),
	GET(PR_GET_SECUREBITS),
	SET(PR_SET_SECUREBITS),
	GET(PR_GET_TIMERSLACK),
	SET(PR_SET_TIMERSLACK),
	GET(PR_TASK_PERF_EVENTS_DISABLE),
	GET(PR_TASK_PERF_EVENTS_ENABLE),
	FIVE(PR_MCE_KILL),
	FIVE(PR_MCE_KILL_GET),
	REFUSE(PR_SET_MM, EPERM, "the fields are the recorder's own: as without CAP_SYS_RESOURCE"),
	SET(PR_SET_PTRACER),
	SET(PR_SET_CHILD_SUBREAPER),
	GET_INT(PR_GET_CHILD_SUBREAPER),
	FIVE(PR_SET_NO_NEW_PRIVS),
	{ ROW("PR_GET_NO_NEW_PRIVS", PR_GET_NO_NEW_PRIVS, 5, A_ULONG, A_ULONG, A_ULONG, A_ULONG),
	  .emulate = do_prctl_get_no_new_privs },
	REFUSE(PR_GET_TID_ADDRESS, EINVAL, "the address is the recorder's: as without checkpoint support"),
	FIVE(PR_SET_THP_DISABLE),
	FIVE(PR_GET_THP_DISABLE),
	REFUSE(PR_MPX_ENABLE_MANAGEMENT, EINVAL, "gone from Linux"),
	REFUSE(PR_MPX_DISABLE_MANAGEMENT, EINVAL, "gone from Linux"),
	REFUSE(PR_SET_FP_MODE, EINVAL, OTHER_CPU),
	REFUSE(PR_GET_FP_MODE, EINVAL, OTHER_CPU),
	FIVE(PR_CAP_AMBIENT),
	REFUSE(PR_SVE_SET_VL, EINVAL, OTHER_CPU),
	REFUSE(PR_SVE_GET_VL, EINVAL, OTHER_CPU),
	FIVE(PR_GET_SPECULATION_CTRL),
	FIVE(PR_SET_SPECULATION_CTRL),
	REFUSE(PR_PAC_RESET_KEYS, EINVAL, OTHER_CPU),
	REFUSE(PR_SET_TAGGED_ADDR_CTRL, EINVAL, OTHER_CPU),
	REFUSE(PR_GET_TAGGED_ADDR_CTRL, EINVAL, OTHER_CPU),
	FIVE(PR_SET_IO_FLUSHER),
	FIVE(PR_GET_IO_FLUSHER),
	REFUSE(PR_SET_SYSCALL_USER_DISPATCH, EINVAL, "would catch the recorder's calls: as on an older kernel"),
	REFUSE(PR_PAC_SET_ENABLED_KEYS, EINVAL, OTHER_CPU),
	REFUSE(PR_PAC_GET_ENABLED_KEYS, EINVAL, OTHER_CPU),
	{ ROW("PR_SCHED_CORE", PR_SCHED_CORE, 5, A_ULONG, A_PID, A_ULONG, A_PTR), .mem = MEM(OUT(4, SZ(8))) },
	REFUSE(PR_SME_SET_VL, EINVAL, OTHER_CPU),
	REFUSE(PR_SME_GET_VL, EINVAL, OTHER_CPU),
	REFUSE(PR_SET_MDWE, EINVAL, "would forbid the recorder's own mappings: as on an older kernel"),
	FIVE(PR_GET_MDWE),
	FIVE(PR_SET_MEMORY_MERGE),
	FIVE(PR_GET_MEMORY_MERGE),
	REFUSE(PR_GET_SHADOW_STACK_STATUS, EINVAL, OTHER_CPU),
	REFUSE(PR_SET_SHADOW_STACK_STATUS, EINVAL, OTHER_CPU),
	REFUSE(PR_LOCK_SHADOW_STACK_STATUS, EINVAL, OTHER_CPU),
	FIVE(PR_TIMER_CREATE_RESTORE_IDS),
	FIVE(PR_FUTEX_HASH),
	REFUSE(PR_SET_VMA, EINVAL, "names of mappings: as on a kernel without them"),
	REFUSE(PR_GET_AUXV, EINVAL, "the vector is the recorder's: as on an older kernel"),
};
const unsigned n_prctl_variants = sizeof(prctl_variants) / sizeof(prctl_variants[0]);

#define SECCOMP(cmd, ...) \
	{ .name = "seccomp$" #cmd, .key = (cmd), .nargs = 3, .arg = { A_CMD, A_FLAGS, A_ADDR }, ZERO, .own_thread = 1, \
	  .names = { [1] = &names_seccomp_flags }, .emulate = do_seccomp, __VA_ARGS__ }

const struct sys_desc seccomp_variants[] = {
	SECCOMP(SECCOMP_SET_MODE_STRICT, .replay = BOTH),
	SECCOMP(SECCOMP_SET_MODE_FILTER, .replay = BOTH, .level = LEVEL_PARTIAL,
		.note = FILTER_NOTE "; no notifications to another process"),
	SECCOMP(SECCOMP_GET_ACTION_AVAIL, .replay = REDO),
	SECCOMP(SECCOMP_GET_NOTIF_SIZES, .replay = REDO),
};
const unsigned n_seccomp_variants = sizeof(seccomp_variants) / sizeof(seccomp_variants[0]);
