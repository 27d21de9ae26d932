/*
 * /proc/self as the guest must see it. What an open file is gets decided by the object that was opened, not by the path
 * string: /proc/<pid>, /proc/thread-self, /dev/fd, relative paths and symbolic links all end at the same object.
 */
#ifndef SANDREC_PROCFS_H
#define SANDREC_PROCFS_H

#include <stdio.h>

#include "syscall-emu/fdtable.h"

enum proc_entry {
	PROC_OTHER, PROC_MAPS, PROC_SMAPS, PROC_NUMA_MAPS, PROC_CMDLINE, PROC_ENVIRON, PROC_AUXV, PROC_STAT, PROC_STATUS,
	PROC_LIMITS, PROC_MEM, PROC_FD_DIR, PROC_FDINFO_DIR, PROC_FDINFO, PROC_MAP_FILES_DIR,
	PROC_TASK_DIR
};

/*
 * Tells the kernel (prctl PR_SET_MM_MAP, PR_SET_NAME) what the guest's arguments are, so that `ps` shows them; opens the
 * guest's program for /proc/self/exe. After loader_exec() in run and record sessions. Failure is harmless.
 */
void procfs_publish(struct process *p);

/*
 * A path under any procfs mount, as readlink of /proc/self/fd/N gives it: which file of a process it is, and *pid, the
 * number of that process as written there. *number: for PROC_FDINFO, the descriptor.
 */
enum proc_entry proc_entry_parse(const char *path, long *pid, long *number);
/* The same for an open descriptor; PROC_OTHER also when it belongs to another process. */
enum proc_entry proc_entry_of(struct fdtable *f, int fd, char *path, size_t size, long *number);

/* A thread of this process that is KVM's, not the guest's (since Linux 6.4 a VM has one). */
bool proc_thread_hidden(struct fdtable *f, long tid);
/* The names in a directory of /proc/self: calls fn for each that is a number. */
int proc_numbers(struct fdtable *f, const char *dir, void (*fn)(void *arg, long n), void *arg);

/*
 * The guest just got fd from an open with these flags, and it is on procfs: puts the guest's view in its place. Returns
 * fd, or a negative errno (fd closed).
 */
int procfs_replace(struct task *t, int fd, int flags);

/* procfs_text.c: numbers that replace the kernel's, and the texts they go into. */
struct proc_view {
	uint64_t size, data, stack, exe, lib;  /* bytes */
	uint64_t sigblk, sigign, sigcgt;
	uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end;
	unsigned fdsize, threads;
	unsigned seccomp, seccomp_filters;     /* the guest's own: mode, and filters on top of the host's */
};
void proc_view_fill(struct task *t, struct proc_view *v);
void proc_patch_status(FILE *out, const char *text, const struct proc_view *v);
void proc_patch_stat(FILE *out, const char *text, const struct proc_view *v);
void proc_patch_limits(FILE *out, const char *text, const struct fdtable *f);
void proc_smaps(FILE *out, char *text, const struct mm *mm);
void proc_numa_maps(FILE *out, const char *text, const struct mm *mm);

/* procfs_mem.c: a descriptor that stands for /proc/self/mem with this access mode. */
int procfs_mem_open(struct fdtable *f, int flags);

/* Name given to memfds that stand for a procfs file: readlink turns "/memfd:" PROC_MEMFD "/proc/1/maps (deleted)" back. */
#define PROC_MEMFD "sandrec:"

#endif
