/* A number that stands for all that the program's future depends on. Contract: debuggee_int.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "replay/debuggee_int.h"
#include "syscall-emu/fingerprint.h"
#include "vmm/cleanup.h"

#define RANGES 8192 /* there are about as many as mappings */
#define BYTES (1ULL << 46)

static int add_thread(const struct debuggee *d, const struct task *t, uint64_t *sum)
{
	const size_t size = vm_cpu(t->proc->vm)->xsave_size;
	cleanup_free uint8_t *x = malloc(size);
	int rc = x ? 0 : -ENOMEM;

	if (rc == 0 && d->stale)
		memcpy(x, copy_xsave(d, t), size);
	else if (rc == 0)
		rc = vcpu_get_xsave(t->vcpu, x, size);
	if (rc < 0)
		return rc;
	*sum = XXH3_64bits_withSeed(t->regs, sizeof(*t->regs), *sum ^ (uint64_t)t->tid);
	*sum = XXH3_64bits_withSeed(x, size, *sum);
	return 0;
}

int debuggee_fingerprint(const struct debuggee *d, uint64_t *out)
{
	cleanup_free struct point_range *range = calloc(RANGES, sizeof(*range));
	uint64_t sum = (uint64_t)d->t->tid, memory = 0;
	unsigned n;
	int rc = 0;

	if (!range)
		return -ENOMEM;
	for (const struct task *t = d->t->proc->tasks; t && rc == 0; t = t->next)
		rc = add_thread(d, t, &sum);
	/* In what pieces it is chosen depends on registers, which are in it. */
	n = fingerprint_choose(d->t, BYTES, range, RANGES);
	for (unsigned i = 0; i < n; i++)
		memory += fingerprint_range(d->t, range[i].start, range[i].len);
	*out = XXH3_64bits_withSeed(&memory, sizeof(memory), sum);
	return rc;
}
