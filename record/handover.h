/*
 * What one image of sandrec leaves to the next when the guest calls execve: the host process really executes our own binary
 * again, so that the kernel closes descriptors, resets signals, ends the address space and wakes a vfork parent; the new
 * image finds this state in an inherited memfd and goes on: or in a pipe, where the program may not write files of that
 * size. Both images are the same file, so the structure is as it is in memory.
 */
#ifndef SANDREC_HANDOVER_H
#define SANDREC_HANDOVER_H

#include "syscall-emu/exec.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/process.h"
#include "vmm/cpuid.h"

enum handover_kind { HANDOVER_PLAIN, HANDOVER_RECORD, HANDOVER_REPLAY };

struct handover {
	uint32_t kind, size;       /* of the whole: this, then the strings and filters */
	struct kvm_host kvm;
	struct cpu_table cpu;
	struct fdtable_state fds;
	int self_fd, proc_fd;      /* our own binary, /proc: neither may be in reach of the new image */
	int program_fd;            /* the file to execute */
	int dir_fd, control_fd, shared_fd, ring_fd; /* trace directory, control.h, tree.h, the process's ring; -1: none */
	int number;                /* of the process in the recording */
	int debug_fd;              /* replay/debuggee.h; -1 when there is none */
	int debug_number;          /* of the process that is debugged */
	uint64_t mask, ignored;    /* the guest's signals */
	struct process_self self;
	uint64_t events;           /* in this process's stream so far */
	int verbose, quiet_output, main_process, ended_status; /* the last three: replay */
	pid_t pid;                 /* as the guest knows it */
	struct inject inject;      /* run --inject: the rules, and what they have counted */
	uint32_t argc, envc;       /* strings: path, argv, envp */
	void *filters;             /* behind them: seccomp_save()'s bytes */
	uint32_t filters_len;
	int filters_rc;            /* of making them */
};

/* Executes our binary with h and the strings of q (NULL: none). Returns only on failure, with a negative errno. */
int handover_exec(struct handover *h, const struct exec_request *q);

/* In the new image: the state behind descriptor fd, with its strings in q. The descriptor is closed. */
int handover_read(int fd, struct handover *h, struct exec_request *q);

/* Remembers our own binary, so that it can be executed when it is out of reach. Once, at start. */
int handover_prepare(void);

/* In the new image, first of all: takes over h's KVM and self descriptors and begins to hide descriptors. */
int handover_inherit(struct handover *h);

/* Fills what every session hands over: VM, CPU, descriptors, signals. */
void handover_fill(struct handover *h, const struct task *t);

/* The command line of the new image: sandrec HANDOVER_WORD FD. */
#define HANDOVER_WORD "--handover"

/* A live session in the new image (kinds PLAIN and RECORD): loads the program and runs it. Does not return. */
_Noreturn void handover_resume(struct handover *h, struct exec_request *q);

#endif
