/*
 * What a process tells the kernel about itself and its end, where the guest's own state is the whole effect: exit, the
 * addresses the kernel would write to, arch_prctl, personality, and two prctl commands. The same on record and replay.
 *
 * Source: Linux kernel/exit.c, kernel/sys.c, arch/x86/kernel/process_64.c.
 */
#ifndef SANDREC_PROCESS_H
#define SANDREC_PROCESS_H

#include "syscall-emu/sandbox.h"
#include "syscall-emu/session.h"

/* One guest process per host process: what is its, and stays across execve. */
struct process_self {
	uint32_t personality, pdeathsig;
	bool supervised; /* its parent is the supervisor */

	struct sandbox sandbox;
	uint8_t serve;     /* enum serve_mode (serve.h) */

	/* How threads are scheduled (record/sched.h): not the guest's to know. */
	uint64_t slice_ns; /* 0: the default */
	bool chaos;
	uint64_t seed;     /* of chaos: the generator's state, a different one in each process */
	uint64_t places;   /* how many there are to choose from (record/chaos.h), as far as is known; 0: it is not */
	bool marked;       /* only instructions in the tree's list are places (record/meeting.h) */
	uint64_t switches; /* chaos ends when so many have been forced in the whole recording; 0: it does not */
};
extern struct process_self process_self;
void process_forked(void); /* in the child */

/* t->dead, t->only_thread, t->wait_status. */
sys_handler do_exit, do_exit_group;

/* Remembered for the thread's end (threads.h). */
sys_handler do_set_tid_address, do_set_robust_list, do_get_robust_list;

sys_handler do_arch_prctl, do_personality;

/* The kernel's own restart block is never the guest's: EINTR, what Linux says when there is none. */
sys_handler do_restart_syscall;

/*
 * PR_SET_PDEATHSIG, PR_GET_PDEATHSIG: the kernel's, as a guest's parent is the host's. Only for the process whose parent
 * is the supervisor they are remembered and no more: that one has a use of its own for the setting.
 */
sys_handler do_prctl_pdeathsig;
sys_handler do_prctl_tsc;       /* PR_SET_TSC, PR_GET_TSC */

#endif
