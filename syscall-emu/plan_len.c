/* Length operators. Contract: plan_len.h, sysdesc.h. */
#include <string.h>

#include "syscall-emu/plan_len.h"

static int64_t scaled(uint64_t n, uint32_t scale)
{
	uint64_t v;

	return __builtin_mul_overflow(n, scale, &v) || v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static uint64_t load(const char *at, unsigned width)
{
	uint64_t v = 0;

	memcpy(&v, at, width <= sizeof(v) ? width : sizeof(v));
	return v;
}

/* The kernel sees an int argument's low half only, and takes a negative count for none or for an error. */
static uint64_t argument(const struct plan *p, unsigned n)
{
	uint64_t v = p->arg[n];

	switch (p->desc->arg[n]) {
	case A_INT:
	case A_FD:
	case A_PID:
	case A_SIG:
		return (int32_t)v < 0 ? 0 : (uint32_t)v;
	case A_LONG:
		return (int64_t)v < 0 ? 0 : v;
	case A_UINT:
	case A_ENUM:
	case A_MODE:
	case A_UID:
	case A_CMD:
		return (uint32_t)v;
	default:
		return v;
	}
}

static uint64_t field(const struct sys_len *l, const struct len_ctx *c)
{
	const struct plan_region *r;
	uint64_t at = c->object + l->off;

	if (c->parent == NO_PARENT)
		return 0;
	r = &c->p->region[c->parent];
	return r->copy && at + l->width <= r->cap ? load((char *)r->copy + at, l->width) : 0;
}

static uint64_t deref(const struct sys_len *l, const struct plan *p)
{
	for (uint32_t i = 0; i < p->nregions; i++) {
		const struct plan_region *r = &p->region[i];

		if (r->parent == NO_PARENT && r->mem->arg == l->arg && r->copy && l->width <= r->cap)
			return load(r->copy, l->width);
	}
	return 0;
}

static int64_t string(const struct sys_len *l, uint64_t addr)
{
	int64_t len = guest_strnlen(addr, l->scale);

	if (len < 0)
		return 0;
	return (uint64_t)len < l->scale ? len + 1 : (int64_t)l->scale;
}

int64_t len_eval(const struct sys_len *l, const struct len_ctx *c)
{
	const struct plan_region *r = c->parent == NO_PARENT ? NULL : &c->p->region[c->parent];

	switch (l->op) {
	case LEN_CONST:
		return l->scale;
	case LEN_ARG:
		return scaled(argument(c->p, l->arg), l->scale);
	case LEN_RET:
		return scaled(c->ret < 0 ? 0 : (uint64_t)c->ret, l->scale);
	case LEN_FIELD:
		return scaled(field(l, c), l->scale);
	case LEN_DEREF:
		return scaled(deref(l, c->p), l->scale);
	case LEN_CSTR:
		return string(l, c->addr);
	case LEN_FN:
		return l->fn(c->t, c->p, c->m, r ? (uint64_t)(uintptr_t)r->copy + c->object : 0, c->ret);
	default:
		return 0;
	}
}
