/*
 * A guest process and its threads, as the syscall layer sees them. One host process per guest process, one host thread
 * and vCPU per guest thread.
 */
#ifndef SANDREC_TASK_H
#define SANDREC_TASK_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "syscall-emu/bpf_object.h"
#include "syscall-emu/inject.h"
#include "syscall-emu/plan.h"
#include "trace/event.h"
#include "vmm/vcpu.h"

struct session;
struct sched;
struct mm;
struct fdtable;
struct landmark;
struct task;

/* The kernel's struct sigaction for x86-64, not libc's. */
struct ksigaction {
	uint64_t handler, flags, restorer, mask;
};
#define KSA_RESTORER 0x04000000ULL

/* The system call filters of a thread (seccomp.h). */
struct seccomp_filter;
struct seccomp_state {
	uint8_t mode;                     /* SECCOMP_MODE_DISABLED, _STRICT, _FILTER */
	uint32_t count;                   /* filters in the chain */
	struct seccomp_filter *newest;
	uint32_t verdict;                 /* about the call at hand: SECCOMP_RET_* */
	uint64_t call_addr;               /* and where it was made */
	bool no_new_privs;                /* set by another thread with its filters: the kernel does not know */
};

struct process {
	struct session *sess;
	const struct kvm_host *kvm;
	struct vm *vm;
	struct mm *mm;                    /* syscall-emu/mm.h */
	struct fdtable *fds;              /* syscall-emu/fd.h */
	struct kernel_shared *shared;     /* kernel_shared.h; live sessions, NULL until first used */
	pid_t pid;                        /* as the guest sees it: on replay, the recorded one */
	char exe[4096];                   /* what /proc/self/exe reads */
	char comm[16];
	struct ksigaction action[65];     /* by signal number */
	uint64_t vdso;                    /* address of our vDSO in the guest */
	uint64_t arg_start, arg_end, env_start, env_end, auxv, auxv_len, start_code, end_code, start_data, end_data,
	         start_stack;             /* for /proc/self */
	int verbose;
	struct inject inject;             /* live sessions: run --inject */

	/* threads (threads.h) */
	struct task *tasks;               /* those that have not ended, the newest first; linked by next */
	unsigned nthreads;
	int wait_status;                  /* when the process has ended */
	struct vcpu **spare_vcpu;         /* of ended threads */
	unsigned nspare;
	struct sched *sched;              /* live sessions: record/sched.h; NULL until there is a second thread */
	bool grouped;                     /* shares memory with other processes (record/group.h): they run while it waits */
	struct pi_waiter *pi_waiters;     /* futex_pi.h */
	struct landmark *landmark;        /* landmark.h; NULL until first used */
};

/* What Linux keeps per thread and shows in every later signal frame, and the thread's own rdtsc setting. */
struct fault_state {
	uint64_t trapno, error, cr2; /* of the last exception that became a signal */
	bool tsc_faults;             /* prctl(PR_SET_TSC, PR_TSC_SIGSEGV) by the guest itself */
};

/*
 * Of the threads of a process one at a time has the baton: it runs guest code and may use what belongs to the process
 * (memory map, descriptors, log). A task's own fields are used by its thread, and by others while it waits.
 */
struct task {
	struct process *proc;
	struct task *next;                /* in proc->tasks */
	struct vcpu *vcpu;
	struct guest_regs *regs;          /* == vcpu_regs(vcpu) */
	pid_t tid;                        /* on replay, the recorded one */
	struct plan plan;
	struct vcpu_exit stop;
	bool at_stop;                     /* stop is still to be dealt with: others run first (replay) */
	void *of_session;                 /* what the session keeps about the thread */
	unsigned priority;                /* chaos (record/sched.c) */

	/* Whoever kicks another thread by a signal: so that none arrives while that one is in a system call (loop.c). */
	int in_guest, kick_coming;        /* atomic */
	int kick_early;                   /* one that came on its way there; atomic */

	/* signals (signal.h) */
	uint64_t mask;                    /* the guest's blocked set; bit n-1 for signal n */
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	volatile int pending;             /* an asynchronous signal is in flight: caught on the host, not yet delivered */
	siginfo_t pending_info;
	struct fault_state fault;

	/* memory the kernel would write by itself: emulated */
	uint64_t clear_child_tid, robust_list, robust_len, rseq, rseq_len;
	uint32_t rseq_sig;

	struct seccomp_state seccomp;
	struct bpf_call bpf;

	bool served;                      /* the call at hand is made by the server (serve.h) */
	bool jumped;                      /* and came by a jump patch */
	struct task_site { bool news; uint64_t addr; struct data_site d; } site; /* text_jump.h: of the call at hand, for its event */
	uint8_t at_once;                  /* and how: enum at_once (at_once.h) */
	int interruptible;                /* it may be interrupted, as it might wait; atomic */
	bool newborn;                     /* the process that clone has just made, on its way back to its own code */
	bool dead;                        /* the loop ends, and with it the process, unless: */
	bool only_thread;                 /* other threads of the process go on */
	int wait_status;                  /* then valid, of the process */
};

/* Do others run while this task waits in a call, who share memory with it? */
static inline bool task_not_alone(const struct task *t) { return t->proc->nthreads > 1 || t->proc->grouped; }

#endif
