/* Length functions that rows of several themes use. Contract: rows.h. */
#include <string.h>

#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"

int64_t len_iovec_args(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint64_t n = p->arg[m->arg + 1];

	(void)t, (void)parent, (void)ret;
	return n > KERNEL_IOV_MAX ? -EINVAL : (int64_t)(n * m->elem);
}

int64_t len_iovec_piece(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	int64_t len;

	(void)t, (void)p, (void)m, (void)ret;
	memcpy(&len, (const char *)(uintptr_t)parent + 8, sizeof(len));
	return len < 0 ? -EINVAL : len;
}

/* The kernel takes maxnode - 1 bits, in whole words, and no more than a page of them. */
int64_t len_bitmap(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint64_t bits = p->arg[m->arg + 1];

	(void)t, (void)parent, (void)ret;
	if (bits <= 1)
		return 0;
	return bits > 4096 * 8 ? -EINVAL : (int64_t)((bits - 1 + 63) / 64 * 8);
}

/* A perf_event_attr says itself how long it is (second word); 0 stands for the first version's 64 bytes. */
int64_t len_perf_attr(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t size;

	(void)t, (void)parent, (void)ret;
	if (guest_read(&size, p->arg[m->arg] + 4, sizeof(size)) < 0)
		return 8;
	return size < 64 ? 64 : size > 4096 ? 4096 : (int64_t)size;
}
