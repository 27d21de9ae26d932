/*
 * Evaluation of the length operators of sysdesc.h. For plan.c.
 */
#ifndef SANDREC_PLAN_LEN_H
#define SANDREC_PLAN_LEN_H

#include "syscall-emu/plan.h"

#define NO_PARENT (~0ULL)

struct len_ctx {
	struct task *t;
	const struct plan *p;
	const struct sys_mem *m;
	uint64_t addr;           /* of the region the length is for */
	uint64_t parent, object; /* index of its parent region or NO_PARENT; offset of the array element in it */
	int64_t ret;
};

/* A length in bytes, clamped to INT64_MAX, or a negative errno from a LEN_FN. */
int64_t len_eval(const struct sys_len *l, const struct len_ctx *c);

static inline bool is_error(int64_t ret)
{
	return ret < 0 && ret >= -4095;
}

#endif
