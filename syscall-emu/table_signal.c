/* Rows: signals. */
#include "syscall-emu/names_sets.h"
#include "syscall-emu/process.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/signal.h"

#define SIGACTION SZ(32)
#define SIGINFO SZ(128)
#define STACK SZ(24)

const struct sys_desc sys_rows_signal[] = {
	{ CALL(rt_sigaction), .serve = SERVE_ANY, .nargs = 4, .arg = { A_SIG, A_PTR, A_PTR, A_SIZE }, ZERO, .replay = REDO,
	  .mem = MEM(IN(1, SIGACTION), OUT(2, SIGACTION)), .emulate = do_rt_sigaction,
	  .names = { [0] = &names_signal } },
	{ CALL(rt_sigprocmask), .nargs = 4, .arg = { A_ENUM, A_PTR, A_PTR, A_SIZE }, ZERO, .replay = REDO,
	  .own_thread = 1,
	  .mem = MEM(IN(1, SIGSET), OUT(2, SIGSET)), .names = { [0] = &names_sigprocmask_how },
	  .emulate = do_rt_sigprocmask },
	{ CALL(rt_sigreturn), .ret = RET_NONE, .replay = REDO, .own_thread = 1, .emulate = do_rt_sigreturn },
	{ CALL(sigaltstack), .nargs = 2, .arg = { A_PTR, A_PTR }, ZERO, .replay = REDO, .own_thread = 1,
	  .mem = MEM(IN(0, STACK), OUT(1, STACK)), .emulate = do_sigaltstack },
	{ CALL(restart_syscall), .emulate = do_restart_syscall, .own_thread = 1 },
	{ CALL(rt_sigpending), .nargs = 2, .arg = { A_PTR, A_SIZE }, ZERO, .own_thread = 1,
	  .mem = MEM(OUT(0, ARG(1))) },
	{ CALL(rt_sigsuspend), .nargs = 2, .arg = { A_PTR, A_SIZE }, ZERO, .block = BLOCK_ALWAYS, .own_thread = 1,
	  .mem = MEM(IN(0, SIGSET)) },
	{ CALL(rt_sigtimedwait), .nargs = 4, .arg = { A_PTR, A_PTR, A_PTR, A_SIZE }, .block = BLOCK_ALWAYS,
	  .own_thread = 1,
	  .mem = MEM(IN(0, SIGSET), OUT(1, SIGINFO), IN(2, TIMESPEC)) },
	{ CALL(rt_sigqueueinfo), .nargs = 3, .arg = { A_PID, A_SIG, A_PTR }, ZERO, .block = BLOCK_STOP, .mem = MEM(IN(2, SIGINFO)) },
	{ CALL(rt_tgsigqueueinfo), .nargs = 4, .arg = { A_PID, A_PID, A_SIG, A_PTR }, ZERO, .block = BLOCK_STOP,
	  .mem = MEM(IN(3, SIGINFO)) },
	{ CALL(pidfd_send_signal), .nargs = 4, .arg = { A_FD, A_SIG, A_PTR, A_FLAGS }, ZERO, .block = BLOCK_STOP,
	  .mem = MEM(IN(2, SIGINFO)) },
	{ CALL(kill), .nargs = 2, .arg = { A_PID, A_SIG }, ZERO, .block = BLOCK_STOP, .names = { [1] = &names_signal } },
	{ CALL(tkill), .nargs = 2, .arg = { A_PID, A_SIG }, ZERO, .block = BLOCK_STOP, .names = { [1] = &names_signal } },
	{ CALL(tgkill), .nargs = 3, .arg = { A_PID, A_PID, A_SIG }, ZERO, .block = BLOCK_STOP, .names = { [2] = &names_signal } },
	{ CALL(pause), ZERO, .block = BLOCK_ALWAYS, .own_thread = 1 },
	{ CALL(signalfd), .nargs = 3, .arg = { A_FD, A_PTR, A_SIZE }, .ret = RET_FD, .mem = MEM(IN(1, SIGSET)) },
	{ CALL(signalfd4), .nargs = 4, .arg = { A_FD, A_PTR, A_SIZE, A_FLAGS }, .ret = RET_FD,
	  .mem = MEM(IN(1, SIGSET)),
	  .names = { [3] = &names_signalfd_flags } },
};
ROWS_COUNT(signal);
