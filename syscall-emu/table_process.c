/* Rows: processes, credentials, limits. */
#include "syscall-emu/fd.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/exec.h"
#include "syscall-emu/process.h"
#include "syscall-emu/rseq.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

#define RUSAGE SZ(144)
#define RLIMIT SZ(16)
#define WAIT_SIGINFO SZ(28) /* as far as si_status; put there whatever waitid's result is */
#define CAP_V1 0x19980330

/* The version in the header says how many 32-bit sets of each kind there are. */
static int64_t len_capabilities(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
				int64_t ret)
{
	uint32_t version = 0;

	(void)t, (void)m, (void)parent, (void)ret;
	if (guest_read(&version, p->arg[0], sizeof(version)) < 0)
		return 0;
	return version == CAP_V1 ? 12 : 24;
}

const struct sys_desc sys_rows_process[] = {
	{ CALL(exit), .nargs = 1, .arg = { A_INT }, .ret = RET_NONE, .replay = REDO, .own_thread = 1,
	  .emulate = do_exit },
	{ CALL(exit_group), .nargs = 1, .arg = { A_INT }, .ret = RET_NONE, .replay = REDO, .own_thread = 1,
	  .emulate = do_exit_group },
	{ CALL(fork), .ret = RET_PID, .replay = REDO, .own_thread = 1, .emulate = do_fork },
	{ CALL(vfork), .ret = RET_PID, .replay = REDO, .own_thread = 1, .emulate = do_vfork },
	{ CALL(clone), .nargs = 5, .arg = { A_FLAGS, A_ADDR, A_ADDR, A_ADDR, A_ADDR }, .ret = RET_PID, .replay = REDO,
	  .own_thread = 1, .emulate = do_clone, .level = LEVEL_PARTIAL,
	  .note = "processes that share memory or descriptors without being threads: only with CLONE_VFORK",
	  .names = { [0] = &names_clone_flags } },
	{ CALL(clone3), .nargs = 2, .arg = { A_ADDR, A_SIZE }, .ret = RET_PID, .replay = REDO, .own_thread = 1,
	  .emulate = do_clone3, .level = LEVEL_PARTIAL, .note = "as clone; set_tid and cgroup are EPERM" },
	{ CALL(execve), .nargs = 3, .arg = { A_PATH, A_ADDR, A_ADDR }, .ret = RET_ZERO, .replay = REDO, .own_thread = 1,
	  .emulate = do_execve },
	{ CALL(execveat), .nargs = 5, .arg = { A_FD, A_PATH, A_ADDR, A_ADDR, A_FLAGS }, .ret = RET_ZERO, .replay = REDO,
	  .own_thread = 1, .emulate = do_execveat, .names = { [0] = &names_dirfd, [4] = &names_execveat_flags } },
	{ CALL(wait4), .serve = SERVE_NOWAIT, .nargs = 4, .arg = { A_PID, A_PTR, A_FLAGS, A_PTR }, .ret = RET_PID, .block = BLOCK_ALWAYS,
	  .nb_arg = 2, .nb_mask = 1, .mem = MEM(OUT(1, SZ(4)), OUT(3, RUSAGE)),
	  .names = { [2] = &names_wait_options } },
	{ CALL(waitid), .serve = SERVE_NOWAIT, .nargs = 5, .arg = { A_ENUM, A_PID, A_PTR, A_FLAGS, A_PTR }, ZERO, .block = BLOCK_ALWAYS,
	  .nb_arg = 3, .nb_mask = 1, .mem = MEM(OUT_ALWAYS(2, WAIT_SIGINFO), OUT(4, RUSAGE)),
	  .names = { [0] = &names_wait_idtype, [3] = &names_wait_options } },
	{ CALL(pidfd_open), .nargs = 2, .arg = { A_PID, A_FLAGS }, .ret = RET_FD,
	  .names = { [1] = &names_pidfd_open_flags } },
	{ CALL(pidfd_getfd), .nargs = 3, .arg = { A_FD, A_FD, A_FLAGS }, .ret = RET_FD },
	{ CALL(set_tid_address), .nargs = 1, .arg = { A_ADDR }, .ret = RET_PID, .replay = REDO, .own_thread = 1,
	  .emulate = do_set_tid_address },
	{ CALL(set_robust_list), .nargs = 2, .arg = { A_ADDR, A_SIZE }, ZERO, .replay = REDO, .own_thread = 1,
	  .emulate = do_set_robust_list },
	{ CALL(get_robust_list), .nargs = 3, .arg = { A_PID, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(OUT(1, SZ(8)), OUT(2, SZ(8))),
	  .emulate = do_get_robust_list },
	{ CALL(rseq), .nargs = 4, .arg = { A_ADDR, A_UINT, A_FLAGS, A_UINT }, ZERO, .replay = BOTH, .own_thread = 1,
	  .emulate = do_rseq },
	{ CALL(arch_prctl), .nargs = 2, .arg = { A_CMD, A_ADDR }, ZERO, .replay = REDO, .own_thread = 1,
	  .emulate = do_arch_prctl, .names = { [0] = &names_arch_prctl_cmd } },
	{ CALL(prctl), .serve = SERVE_ALTERS, .nargs = 5, .arg = { A_CMD, A_ULONG, A_ULONG, A_ULONG, A_ULONG }, .own_thread = 1,
	  .level = LEVEL_GENERIC, .sel = 0, VARIANTS_OF(prctl), .names = { [0] = &names_prctl_cmd } },
	{ CALL(personality), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_UINT }, .own_thread = 1, .replay = REDO, .emulate = do_personality,
	  .names = { [0] = &names_personality } },

	{ CALL(getpid), .serve = SERVE_ANY, .ret = RET_PID },
	{ CALL(getppid), .serve = SERVE_ANY, .ret = RET_PID },
	{ CALL(gettid), .ret = RET_PID, .own_thread = 1 },
	{ CALL(getpgrp), .serve = SERVE_ANY, .ret = RET_PID },
	{ CALL(getpgid), .serve = SERVE_ANY, .nargs = 1, .arg = { A_PID }, .ret = RET_PID },
	{ CALL(setpgid), .nargs = 2, .arg = { A_PID, A_PID }, ZERO },
	{ CALL(getsid), .serve = SERVE_ANY, .nargs = 1, .arg = { A_PID }, .ret = RET_PID },
	{ CALL(setsid), .ret = RET_PID },
	{ CALL(getuid), .serve = SERVE_ANY },
	{ CALL(geteuid), .serve = SERVE_ANY },
	{ CALL(getgid), .serve = SERVE_ANY },
	{ CALL(getegid), .serve = SERVE_ANY },
	{ CALL(getresuid), .serve = SERVE_ANY, .nargs = 3, .arg = { A_PTR, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(OUT(0, SZ(4)), OUT(1, SZ(4)), OUT(2, SZ(4))) },
	{ CALL(getresgid), .serve = SERVE_ANY, .nargs = 3, .arg = { A_PTR, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(OUT(0, SZ(4)), OUT(1, SZ(4)), OUT(2, SZ(4))) },
	{ CALL(setuid), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_UID }, ZERO, .own_thread = 1 },
	{ CALL(setgid), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_UID }, ZERO, .own_thread = 1 },
	{ CALL(setreuid), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_UID, A_UID }, ZERO, .own_thread = 1 },
	{ CALL(setregid), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_UID, A_UID }, ZERO, .own_thread = 1 },
	{ CALL(setresuid), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_UID, A_UID, A_UID }, ZERO, .own_thread = 1 },
	{ CALL(setresgid), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_UID, A_UID, A_UID }, ZERO, .own_thread = 1 },
	{ CALL(setfsuid), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_UID }, .own_thread = 1 },
	{ CALL(setfsgid), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_UID }, .own_thread = 1 },
	{ CALL(getgroups), .serve = SERVE_ANY, .nargs = 2, .arg = { A_INT, A_PTR }, .mem = MEM(OUTG(1, ARGX(0, 4), RETX(4))) },
	{ CALL(setgroups), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_INT, A_PTR }, ZERO, .own_thread = 1, .mem = MEM(IN(1, ARGX(0, 4))) },
	/* An unknown version is EINVAL, with the kernel's own put in the header. */
	{ CALL(capget), .nargs = 2, .arg = { A_PTR, A_PTR }, ZERO,
	  .mem = MEM(INOUT_ALWAYS(0, SZ(8)), OUT(1, LENFN(len_capabilities))) },
	{ CALL(capset), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_PTR, A_PTR }, ZERO, .own_thread = 1,
	  .mem = MEM(INOUT_ALWAYS(0, SZ(8)), IN(1, LENFN(len_capabilities))) },

	{ CALL(getrlimit), .serve = SERVE_ANY, .nargs = 2, .arg = { A_ENUM, A_PTR }, ZERO, .mem = MEM(OUT(1, RLIMIT)),
	  .names = { [0] = &names_rlimit }, .emulate = do_getrlimit },
	{ CALL(setrlimit), .serve = SERVE_ANY, .nargs = 2, .arg = { A_ENUM, A_PTR }, ZERO, .mem = MEM(IN(1, RLIMIT)),
	  .names = { [0] = &names_rlimit }, .emulate = do_setrlimit },
	{ CALL(prlimit64), .serve = SERVE_ANY, .nargs = 4, .arg = { A_PID, A_ENUM, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(IN(2, RLIMIT), OUT(3, RLIMIT)),
	  .names = { [1] = &names_rlimit }, .emulate = do_prlimit64 },
	{ CALL(getrusage), .serve = SERVE_SELF, .nargs = 2, .arg = { A_INT, A_PTR }, ZERO, .mem = MEM(OUT(1, RUSAGE)),
	  .names = { [0] = &names_rusage_who } },
	{ CALL(times), .serve = SERVE_ANY, .nargs = 1, .arg = { A_PTR }, .mem = MEM(OUT(0, SZ(32))) },
	{ CALL(unshare), .serve = SERVE_ALTERS, .nargs = 1, .arg = { A_FLAGS }, ZERO, .own_thread = 1,
	  .names = { [0] = &names_unshare_flags }, .emulate = do_unshare },
	{ CALL(setns), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_FD, A_FLAGS }, ZERO, .own_thread = 1, .emulate = do_setns },
	{ CALL(kcmp), .nargs = 5, .arg = { A_PID, A_PID, A_ENUM, A_ULONG, A_ULONG },
	  .ret = RET_INT, .emulate = do_kcmp, .names = { [2] = &names_kcmp_type } },
	{ CALL(ptrace), .nargs = 4, .arg = { A_ENUM, A_PID, A_ADDR, A_ADDR },
	  REFUSED(EPERM, "`sandrec gdb` is the debugger"), .names = { [0] = &names_ptrace_request } },
};
ROWS_COUNT(process);
