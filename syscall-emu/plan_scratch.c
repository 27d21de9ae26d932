/* Scratch memory for calls that wait. Contract: plan_scratch.h. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "syscall-emu/plan_scratch.h"
#include "syscall-emu/task.h"

#define NO_PARENT (~0ULL)

/* Files that answer at once, or in a time that nobody else can end. */
static bool file_may_block(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	return !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode);
}

/*
 * Only for a signal to itself: who gives up the baton to stop another process might stop it while that has the baton.
 */
static bool stops(const struct plan *p)
{
	pid_t pid = (pid_t)p->arg[0];

	if (p->desc->arg[0] != A_PID || (pid > 0 && pid != getpid() && pid != gettid()))
		return false;
	for (unsigned i = 0; i < p->desc->nargs; i++)
		if (p->desc->arg[i] == A_SIG)
			return p->arg[i] == SIGSTOP || p->arg[i] == SIGTSTP || p->arg[i] == SIGTTIN || p->arg[i] == SIGTTOU;
	return false;
}

bool plan_may_block(const struct plan *p)
{
	const struct sys_desc *d = p->desc;

	if (!d || d->block == BLOCK_NEVER || (d->nb_mask && p->arg[d->nb_arg] & d->nb_mask))
		return false;
	if (d->block == BLOCK_STOP)
		return stops(p);
	if (d->block == BLOCK_FD && d->arg[0] == A_FD && d->ret != RET_FD)
		return file_may_block((int)p->arg[0]);
	return true;
}

static bool writable(const struct mm *mm, uint64_t addr, uint64_t len)
{
	uint64_t end = addr + len;

	while (addr < end) {
		const struct vma *v = mm_find(mm, addr);

		if (!v || !(v->prot & PROT_WRITE))
			return false;
		addr = v->end;
	}
	return true;
}

void plan_scratch(struct plan *p, struct task *t)
{
	for (uint32_t i = 0; i < p->nregions; i++) {
		struct plan_region *r = &p->region[i];
		void *copy;

		r->scratch = false;
		if (r->copy || !r->cap || !(r->mem->dir & MEM_OUT) || r->mem->flags & MEM_IN_PLACE ||
		    !writable(t->proc->mm, r->addr, r->cap))
			continue;
		copy = plan_scratch_memory(p, r->cap);
		if (!copy || (r->mem->dir & MEM_IN && guest_read(copy, r->addr, r->cap) < 0))
			continue;
		r->copy = copy;
		r->scratch = true;
		if (r->parent == NO_PARENT)
			p->host_arg[r->mem->arg] = (uint64_t)(uintptr_t)copy;
	}
}

void plan_unscratch(struct plan *p, struct task *t, int64_t ret)
{
	if (ret != SYS_ERESTARTSYS)
		plan_settle(p, t, ret);
	for (uint32_t i = 0; i < p->nregions; i++) {
		struct plan_region *r = &p->region[i];

		if (!r->scratch)
			continue;
		/* Memory that has gone meanwhile: plan_finish() finds that out. */
		if (ret != SYS_ERESTARTSYS && r->got)
			guest_write(r->addr, r->copy, r->got);
		r->copy = NULL;
		r->scratch = false;
		if (r->parent == NO_PARENT)
			p->host_arg[r->mem->arg] = r->addr;
	}
}
