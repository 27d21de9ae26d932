/* Rows: scheduling and futexes. */
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

#define SCHED_PARAM SZ(4)
#define FUTEX_WAITV_SIZE 24 /* u64 value, u64 address, u32 flags, u32 reserved */
#define FUTEX_WAITV_MAX 128

/* A sched_attr says itself how long it is; 0 stands for the first version's 48 bytes. */
static int64_t len_sched_attr(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			      int64_t ret)
{
	uint32_t size;

	(void)t, (void)parent, (void)ret;
	if (guest_read(&size, p->arg[m->arg], sizeof(size)) < 0)
		return 4;
	return size < 48 ? 48 : size;
}

static int64_t len_waitv(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t n = (uint32_t)p->arg[1];

	(void)t, (void)m, (void)parent, (void)ret;
	return n > FUTEX_WAITV_MAX ? -EINVAL : (int64_t)n * FUTEX_WAITV_SIZE;
}

/* futex_requeue has two of them. */
static int64_t len_waitv_pair(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			      int64_t ret)
{
	(void)t, (void)p, (void)m, (void)parent, (void)ret;
	return 2 * FUTEX_WAITV_SIZE;
}

/* The words waited for, in place: the kernel compares them, and by their address finds who wakes them. */
static const struct sys_mem waitv_word[] = { { .dir = MEM_IN, .off = 8, .cap = SZ(4) }, { .dir = 0 } };
#define WAITV(a, length) \
	{ .dir = MEM_IN, .arg = (a), .flags = MEM_ARRAY, .elem = FUTEX_WAITV_SIZE, .cap = LENFN(length), \
	  .sub = waitv_word }

const struct sys_desc sys_rows_sched[] = {
	{ CALL(sched_yield), .serve = SERVE_ANY, ZERO },
	{ CALL(sched_setparam), .serve = SERVE_ALTERS, .nargs = 2, .arg = { A_PID, A_PTR }, ZERO, .mem = MEM(IN(1, SCHED_PARAM)) },
	{ CALL(sched_getparam), .nargs = 2, .arg = { A_PID, A_PTR }, ZERO, .mem = MEM(OUT(1, SCHED_PARAM)) },
	{ CALL(sched_setscheduler), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_PID, A_ENUM, A_PTR }, ZERO, .mem = MEM(IN(2, SCHED_PARAM)),
	  .names = { [1] = &names_sched_policy } },
	{ CALL(sched_getscheduler), .nargs = 1, .arg = { A_PID } },
	{ CALL(sched_get_priority_max), .serve = SERVE_ANY, .nargs = 1, .arg = { A_ENUM }, .names = { [0] = &names_sched_policy } },
	{ CALL(sched_get_priority_min), .serve = SERVE_ANY, .nargs = 1, .arg = { A_ENUM }, .names = { [0] = &names_sched_policy } },
	{ CALL(sched_rr_get_interval), .nargs = 2, .arg = { A_PID, A_PTR }, ZERO, .mem = MEM(OUT(1, TIMESPEC)) },
	{ CALL(sched_setaffinity), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_PID, A_UINT, A_PTR }, ZERO, .mem = MEM(IN(2, ARG(1))) },
	{ CALL(sched_getaffinity), .nargs = 3, .arg = { A_PID, A_UINT, A_PTR }, .ret = RET_LEN,
	  .mem = MEM(OUTG(2, ARG(1), RETVAL)) },
	/* A size that is too large is E2BIG, with the kernel's own put in its place. */
	{ CALL(sched_setattr), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_PID, A_PTR, A_FLAGS }, ZERO,
	  .mem = MEM(INOUT_ALWAYS(1, LENFN(len_sched_attr))) },
	{ CALL(sched_getattr), .nargs = 4, .arg = { A_PID, A_PTR, A_UINT, A_FLAGS }, ZERO,
	  .mem = MEM(OUT(1, ARG(2))) },
	{ CALL(getpriority), .nargs = 2, .arg = { A_ENUM, A_PID }, .names = { [0] = &names_priority_which } },
	{ CALL(setpriority), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_ENUM, A_PID, A_INT }, ZERO,
	  .names = { [0] = &names_priority_which } },
	{ CALL(ioprio_get), .nargs = 2, .arg = { A_ENUM, A_PID }, .names = { [0] = &names_ioprio_who } },
	{ CALL(ioprio_set), .serve = SERVE_ALTERS, .nargs = 3, .arg = { A_ENUM, A_PID, A_INT }, ZERO,
	  .names = { [0] = &names_ioprio_who } },
	{ CALL(getcpu), .nargs = 3, .arg = { A_PTR, A_PTR, A_ADDR }, ZERO, .mem = MEM(OUT(0, SZ(4)), OUT(1, SZ(4))) },
	{ CALL(membarrier), .nargs = 3, .arg = { A_ENUM, A_FLAGS, A_INT }, .names = { [0] = &names_membarrier } },

	{ CALL(futex), .nargs = 6, .arg = { A_ADDR, A_CMD, A_UINT, A_ADDR, A_ADDR, A_UINT }, .block = BLOCK_ALWAYS,
	  .level = LEVEL_GENERIC, .sel = 1, .sel_ignore = FUTEX_VARIANT_IGNORE, VARIANTS_OF(futex),
	  .names = { [1] = &names_futex_op } },
	{ CALL(futex_waitv), .nargs = 5, .arg = { A_PTR, A_UINT, A_FLAGS, A_PTR, A_ENUM }, .block = BLOCK_ALWAYS,
	  .mem = MEM(WAITV(0, len_waitv), IN(3, TIMESPEC)) },
	{ CALL(futex_wake), .nargs = 4, .arg = { A_PTR, A_ULONG, A_INT, A_FLAGS }, .mem = MEM(IN(0, SZ(4))) },
	{ CALL(futex_wait), .nargs = 6, .arg = { A_PTR, A_ULONG, A_ULONG, A_FLAGS, A_PTR, A_ENUM }, ZERO,
	  .block = BLOCK_ALWAYS, .mem = MEM(IN(0, SZ(4)), IN(4, TIMESPEC)) },
	{ CALL(futex_requeue), .nargs = 4, .arg = { A_PTR, A_FLAGS, A_INT, A_INT },
	  .mem = MEM(WAITV(0, len_waitv_pair)) },
};
ROWS_COUNT(sched);
