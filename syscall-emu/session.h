/*
 * The one interface behind which running, recording and replaying differ. The run loop and the handlers call it; nothing
 * else asks which kind of session this is. Implementations: record/plain.c (run without recording), record/recorder.c,
 * replay/replayer.c. All functions run on the calling task's thread.
 */
#ifndef SANDREC_SESSION_H
#define SANDREC_SESSION_H

#include "syscall-emu/task.h"

struct exec_params; /* loader.h */
struct fork_request; /* clone.h */
struct exec_request; /* exec.h */
struct bpf_object; /* bpf_object.h */
struct switchless_call; /* vmm/switchless_ring.h */

/* Where a file mapping's bytes come from. */
struct map_source {
	int fd;                 /* to give to mmap; the session's, valid until map_done() */
	uint64_t offset;        /* file offset in fd that corresponds to the requested one */
	char path[4096];        /* name shown in /proc/self/maps */
	uint64_t dev, ino;
	uint64_t size;          /* of the file; 0 where nobody asks */
	uint32_t denied;        /* PROT_WRITE, PROT_EXEC: what mprotect can never give */
	bool shared_copy;       /* replay: fd is a memfd standing for a shared file */
	bool kernel;            /* memory the kernel writes: no file; window is NULL on replay */
	struct kernel_window *window; /* kernel_shared.h; for who maps it to attach or drop */
};

enum { TASK_DEAD = 1, TASK_SIGNAL = 2, TASK_STOPPED = 3 };

struct session_ops {
	const char *name;
	bool injects; /* results come from a recording: calls are not made, whichever thread goes through them */

	/*
	 * Whose turn is it? A live session runs each thread on a host thread of its own, and leaves *t. Replay drives all
	 * from one: *t becomes the thread that the next event belongs to. 0 or a negative errno.
	 */
	int (*turn)(struct session *s, struct task **t);

	/*
	 * The task is at a system call, before anything is done about it (point false), or at an execution point, when its
	 * signals have been delivered (true): a switch to another thread may be due. 0: go on with this stop; 1 (replay):
	 * not yet, another thread's turn comes first; or a negative errno.
	 */
	int (*preempt)(struct session *s, struct task *t, bool point);

	/* Around a forwarded call that may wait: other threads of the process run meanwhile. Live sessions only. */
	void (*blocks)(struct session *s, struct task *t);
	void (*unblocks)(struct session *s, struct task *t);

	/*
	 * The guest is about to run user code. 0: run it; TASK_DEAD: the task is dead now, t->wait_status says how (replay:
	 * the recording ends here); TASK_SIGNAL: this is the execution point of the next signal; TASK_STOPPED: it has run,
	 * by task_step(), and t->stop is to be dealt with (t->at_stop is set); or a negative errno that ends the session.
	 */
	int (*resume)(struct session *s, struct task *t);

	/*
	 * Can nothing be due to the task now but what its own instructions bring about? Then its next system call may be made
	 * without anybody else being asked, on the server's thread (serve.h). NULL: never.
	 */
	bool (*serves)(struct session *s, struct task *t);

	/* Does somebody wait for the task to give way? A call that may wait is then made outside, where it gives way. */
	bool (*contended)(struct session *s, struct task *t);

	/*
	 * Replay, while serves() is true: the call that comes `skip` events after the next one, if all up to it do nothing but
	 * return and write the program's own memory, so that the guest may take it by itself. *c points to what is valid until the
	 * session is called again. happened: how many events have; taken: n more have, in this way. NULL: there is none of this.
	 */
	bool (*ahead)(struct session *s, struct task *t, unsigned skip, struct switchless_call *c);
	uint64_t (*happened)(struct session *s);
	void (*taken)(struct session *s, unsigned n);

	/*
	 * The task stands at a system call: carry it out (forward or handler), or inject it. *ret is what the guest gets, or
	 * SYS_ERESTARTSYS / SYS_REGS_SET. desc NULL: nothing describes the call (the generic path). Returns 0 or a
	 * negative errno that ends the session (a divergence, already reported).
	 */
	int (*syscall)(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret);

	/* rdtsc/rdtscp: the value (and TSC_AUX for rdtscp). */
	int (*tsc)(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux);

	/* A synchronous exception is about to become the signal in si. For the log, and for the check on replay. 1: it does
	 * not, a debugger has led the process elsewhere. */
	int (*fault)(struct session *s, struct task *t, const siginfo_t *si);

	/*
	 * Is an asynchronous signal to be delivered now? after: at the end of a system call or at an execution point
	 * (registers are those the handler returns to); else before the call at hand. 1 and *si filled, 0, or a negative
	 * errno.
	 */
	int (*signal)(struct session *s, struct task *t, bool after, siginfo_t *si);

	/*
	 * vcpu_run() ended, t->stop and t->regs are the program's own view. 1: that was for the session, the program's code
	 * runs on. NULL: nobody wants to know.
	 */
	int (*stopped)(struct session *s, struct task *t);

	/*
	 * vcpu_run() ended with VCPU_KICK. 0: go on; TASK_DEAD: of a fatal signal (t->wait_status); TASK_SIGNAL: this is
	 * an execution point, ask signal(after).
	 */
	int (*kicked)(struct session *s, struct task *t);

	/* A landmark the session armed (landmark.h) was hit: as kicked(). */
	int (*landed)(struct session *s, struct task *t);

	/* Host side of the guest's own state: no-ops on replay. */
	int (*set_mask)(struct session *s, struct task *t);                /* make t->mask the thread's mask */
	int (*set_action)(struct session *s, struct task *t, int sig);     /* proc->action[sig] changed */

	/* The guest maps descriptor fd (prot and flags as in mmap). Fills src; annex of p carries what replay needs. */
	int (*map_file)(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags, uint64_t offset,
			uint64_t len, struct map_source *src);
	void (*map_done)(struct session *s, struct map_source *src);

	/* What the kernel says of a descriptor of bpf(2): bpf_object_ask(). NULL where there is no kernel to ask. */
	int (*bpf_object)(struct session *s, struct task *t, int fd, struct bpf_object *o);

	/* Replay: a descriptor that stands for the System V segment id; the session's. */
	int (*segment)(struct session *s, int id);

	/* A file of a program image by path (executable, script, interpreter): a descriptor, or negative errno. index
	 * counts the files of one exec from 0: replay opens the recorded copy with that index. */
	int (*image_file)(struct session *s, struct exec_params *x, unsigned index, const char *path);

	/* A new process: the child's pid or a negative errno in the parent; 0 in the child (t->newborn), whose registers
	 * are set and whose session is its own. */
	int64_t (*fork)(struct session *s, struct task *t, struct plan *p, const struct fork_request *q);

	/*
	 * The guest is about to map memory that other processes may write or see written: from here on the session keeps an
	 * order between them. At a system call, before it has had any effect.
	 */
	void (*shares)(struct session *s, struct task *t);

	/*
	 * The call at hand writes to the memory of process pid: said before for each piece, and once with pid 0 afterwards. NULL:
	 * nothing is recorded.
	 */
	void (*pokes)(struct session *s, pid_t pid, uint64_t addr, uint64_t len);

	/* A new thread (threads.h: thread_make() has been called): its tid or a negative errno. */
	int64_t (*thread)(struct session *s, struct task *t, struct plan *p, struct task *made);
	/* t has ended, others go on. *next: who is run now, NULL: nobody by this host thread. 0 or a negative errno. */
	int (*thread_ended)(struct session *s, struct task *t, struct task **next);
	void (*robust_list)(struct session *s, struct task *t); /* t->robust_list changed, of the calling thread; NULL: nobody wants to know */
	void (*futex_wake)(struct session *s, uint64_t addr, int n); /* what the kernel does at a thread's end */

	/* Becomes another program, in a new image of ours. Returns only a negative errno: nothing has changed. */
	int64_t (*exec)(struct session *s, struct task *t, struct plan *p, struct exec_request *q);

	/* The process is gone (t->wait_status): the last event. 0, or a negative errno (divergence). */
	int (*exited)(struct session *s, struct task *t);
};

struct session {
	const struct session_ops *ops;
};

/*
 * dispatch.c: what run and record share. prepare builds t->plan and checks (0, or the guest's negative errno with the
 * plan empty); perform then does the handler or the forwarded call, the post hook and plan_finish.
 */
int64_t syscall_prepare(struct task *t, const struct sys_desc *desc);
int64_t syscall_perform(struct task *t, const struct sys_desc *desc);

/* The unknown call: fingerprint memory, forward, find changed pages (generic.c). */
int64_t syscall_generic(struct task *t, struct plan *p);

/*
 * loop.c: runs the task, and others if the session says so, until the process or, in a live session, the thread has ended;
 * 0 or a negative errno (a divergence, a dead vCPU: already reported).
 */
int task_loop(struct task *t);

/* For a session's resume(): one instruction of user code. 1: it has run. 0: t->stop came first or instead. Or a negative errno. */
int task_step(struct task *t);

/*
 * start.c: a process with one task, an empty address space, a VM and a vCPU. cpu stays the caller's and must outlive
 * it. why gets a line for people. One per host process: the address space is the host's own.
 */
int process_create(struct session *s, const struct kvm_host *kvm, const struct cpu_table *cpu, pid_t pid,
		   struct task **out, char *why, size_t len);

/*
 * Gives up the task's vCPU and its process's VM; then makes others over the same addresses, with these registers and this
 * extended state. In the child of a fork, whose parent KVM refuses its VM to, or around a call that needs a process without.
 * Negative errno: the task cannot run any more.
 */
void process_drop_vm(struct task *t);
int process_renew_vm(struct task *t, const struct guest_regs *regs, const void *xsave);

#endif
