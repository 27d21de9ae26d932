/*
 * Breakpoints: a byte that traps in user mode in place of an instruction's first one, from just before the program
 * runs until just after. Contract: debuggee_int.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay/debuggee_int.h"
#include "syscall-emu/mm.h"
#include "vmm/cleanup.h"
#include "vmm/trampoline.h"

bool points_at(const struct debuggee *d, uint64_t addr, enum debug_point *kind)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (d->point[i].kind <= DEBUG_HARD_BREAK && d->point[i].addr == addr) {
			if (kind)
				*kind = (enum debug_point)d->point[i].kind;
			return true;
		}
	return false;
}

bool points_near(const struct debuggee *d, uint64_t start, uint64_t len)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (d->point[i].kind <= DEBUG_HARD_BREAK && d->point[i].addr - start < len)
			return true;
	return false;
}

/* Pages the program may not write get a private copy; their protection stays. A shared page is written like any other. */
static int put_byte(int mem, uint64_t addr, uint8_t *byte)
{
	uint8_t now;

	if (pread(mem, &now, 1, (off_t)addr) != 1 || pwrite(mem, byte, 1, (off_t)addr) != 1)
		return -EFAULT;
	*byte = now;
	return 0;
}

static int insert(struct debuggee *d, int mem, uint64_t addr)
{
	struct patch *p = &d->patch[d->npatches];
	const struct vma *v = mm_find(d->t->proc->mm, addr);

	/* A library that is not mapped yet, or not any more: nothing will execute there. */
	if (!v || !guest_range_ok(addr, 1))
		return 0;
	for (unsigned i = 0; i < d->npatches; i++)
		if (d->patch[i].addr == addr)
			return 0;
	*p = (struct patch){ addr, TRAMP_TRAP };
	if (put_byte(mem, addr, &p->byte) == 0)
		d->npatches++;
	return 0;
}

int points_insert(struct debuggee *d)
{
	cleanup_close int mem = -1;

	if (!d->npoints && !d->extra[0] && !d->extra[1])
		return 0;
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	for (unsigned i = 0; i < INTERNAL_POINTS; i++)
		if (d->extra[i])
			insert(d, mem, d->extra[i]);
	for (unsigned i = 0; d->run.points && i < d->npoints; i++)
		if (d->point[i].kind <= DEBUG_HARD_BREAK)
			insert(d, mem, d->point[i].addr);
	return 0;
}

static _Noreturn void cannot_restore(void)
{
	static const char text[] = "sandrec: internal error: cannot restore the program's code\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* Nobody can be told. */
	}
	abort();
}

void points_remove(struct debuggee *d)
{
	cleanup_close int mem = -1;

	if (!d->npatches)
		return;
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	while (d->npatches) {
		const struct patch *p = &d->patch[--d->npatches];
		uint8_t now;

		if (pread(mem, &now, 1, (off_t)p->addr) != 1)
			cannot_restore();
		/* What a program that changes its own code has put there stays. */
		if (now == TRAMP_TRAP && pwrite(mem, &p->byte, 1, (off_t)p->addr) != 1)
			cannot_restore();
	}
}

bool points_hit(const struct debuggee *d, const struct task *t)
{
	if (t->stop.stop != VCPU_EXCEPTION || t->stop.vector != V_UD)
		return false;
	for (unsigned i = 0; i < d->npatches; i++)
		if (d->patch[i].addr == t->regs->rip)
			return true;
	return false;
}
