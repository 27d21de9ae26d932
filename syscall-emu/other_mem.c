/*
 * Calls that write to the memory of other processes: process_vm_writev, and writes to /proc/PID/mem. They are forwarded; the
 * session hears of them before and afterwards (session_ops.pokes), as the other process may be one of ours.
 * Source: process_vm_readv(2), proc(5).
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/fdtable.h"
#include "syscall-emu/procfs.h"
#include "syscall-emu/session.h"
#include "syscall-emu/threads.h"

#define REMOTE 3 /* argument: the iovec array of the other side */

static void announce(struct task *t, pid_t pid, uint64_t addr, uint64_t len)
{
	struct session *s = t->proc->sess;

	if (s->ops->pokes)
		s->ops->pokes(s, pid, addr, len);
}

static int64_t forward(struct task *t, struct plan *p)
{
	int64_t ret = plan_forward(p, t);

	announce(t, 0, 0, 0);
	return ret;
}

int64_t do_process_vm_writev(struct task *t, struct plan *p)
{
	pid_t pid = (pid_t)p->arg[0];

	if (pid == t->proc->pid || thread_find(t->proc, pid))
		return plan_forward(p, t);
	for (uint32_t i = 0; i < p->nregions; i++) {
		const struct plan_region *r = &p->region[i];

		if (r->parent != ~0ULL && p->region[r->parent].mem->arg == REMOTE)
			announce(t, pid, r->addr, r->cap);
	}
	return forward(t, p);
}

/* Whose memory the descriptor writes to; 0: no other process's. */
static pid_t mem_of(struct fdtable *f, int fd)
{
	char path[PATH_MAX] = "";
	long pid, number;

	if (proc_entry_of(f, fd, path, sizeof(path), &number) != PROC_OTHER ||
	    proc_entry_parse(path, &pid, &number) != PROC_MEM)
		return 0;
	return (pid_t)pid;
}

/* Where the call writes, or -1 when it does not. */
static int64_t position(const struct plan *p)
{
	switch (p->nr) {
	case SYS_write:
	case SYS_writev:
		return lseek((int)p->arg[0], 0, SEEK_CUR);
	case SYS_pwrite64:
	case SYS_pwritev:
		return (int64_t)p->arg[3];
	case SYS_pwritev2:
		return (int64_t)p->arg[3] == -1 ? lseek((int)p->arg[0], 0, SEEK_CUR) : (int64_t)p->arg[3];
	}
	return -1;
}

int64_t other_mem_io(struct task *t, struct plan *p)
{
	pid_t pid = t->proc->fds->other_mem ? mem_of(t->proc->fds, (int)p->arg[0]) : 0;
	int64_t at = pid > 0 ? position(p) : -1;
	uint64_t len = 0;

	if (at < 0)
		return plan_forward(p, t);
	for (uint32_t i = 0; i < p->nregions; i++)
		len += p->region[i].mem->sub ? 0 : p->region[i].cap;
	announce(t, pid, (uint64_t)at, len);
	return forward(t, p);
}
