/* Rows: clocks and timers. */
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"

#define TIMEX SZ(208)
#define SIGEVENT SZ(64)
#define TIMER_ABSTIME_FLAG 1

/* An absolute sleep leaves its argument alone; a relative one that a signal ended gets what remains. */
static int64_t len_remaining(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			     int64_t ret)
{
	(void)t, (void)m, (void)parent;
	return ret == -EINTR && !(p->arg[1] & TIMER_ABSTIME_FLAG) ? 16 : 0;
}

static int64_t len_interrupted(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			       int64_t ret)
{
	(void)t, (void)p, (void)m, (void)parent;
	return ret == -EINTR ? 16 : 0;
}

#define REMAINING(a, length) \
	{ .dir = MEM_OUT, .arg = (a), .flags = MEM_ON_ERROR, .cap = TIMESPEC, .got = LENFN(length) }
#define CLOCK .names = { [0] = &names_clock }

const struct sys_desc sys_rows_time[] = {
	{ CALL(time), .serve = SERVE_ANY, .nargs = 1, .arg = { A_PTR }, .mem = MEM(OUT(0, SZ(8))) },
	{ CALL(gettimeofday), .serve = SERVE_ANY, .nargs = 2, .arg = { A_PTR, A_PTR }, ZERO, .mem = MEM(OUT(0, SZ(16)), OUT(1, SZ(8))) },
	{ CALL(settimeofday), .nargs = 2, .arg = { A_PTR, A_PTR }, ZERO, .mem = MEM(IN(0, SZ(16)), IN(1, SZ(8))) },
	{ CALL(adjtimex), .nargs = 1, .arg = { A_PTR }, .mem = MEM(INOUT(0, TIMEX)) },
	{ CALL(clock_adjtime), .nargs = 2, .arg = { A_ENUM, A_PTR }, .mem = MEM(INOUT(1, TIMEX)), CLOCK },
	{ CALL(clock_gettime), .serve = SERVE_CLOCK, .nargs = 2, .arg = { A_ENUM, A_PTR }, ZERO, .mem = MEM(OUT(1, TIMESPEC)), CLOCK },
	{ CALL(clock_settime), .nargs = 2, .arg = { A_ENUM, A_PTR }, ZERO, .mem = MEM(IN(1, TIMESPEC)), CLOCK },
	{ CALL(clock_getres), .serve = SERVE_CLOCK, .nargs = 2, .arg = { A_ENUM, A_PTR }, ZERO, .mem = MEM(OUT(1, TIMESPEC)), CLOCK },
	{ CALL(nanosleep), .nargs = 2, .arg = { A_PTR, A_PTR }, ZERO, .block = BLOCK_ALWAYS, .own_thread = 1,
	  .mem = MEM(IN(0, TIMESPEC), REMAINING(1, len_interrupted)) },
	{ CALL(clock_nanosleep), .nargs = 4, .arg = { A_ENUM, A_FLAGS, A_PTR, A_PTR }, ZERO, .block = BLOCK_ALWAYS,
	  .own_thread = 1, .mem = MEM(IN(2, TIMESPEC), REMAINING(3, len_remaining)), CLOCK },
	{ CALL(alarm), .nargs = 1, .arg = { A_UINT } },
	{ CALL(getitimer), .nargs = 2, .arg = { A_ENUM, A_PTR }, ZERO, .mem = MEM(OUT(1, ITIMERSPEC)),
	  .names = { [0] = &names_itimer_which } },
	{ CALL(setitimer), .nargs = 3, .arg = { A_ENUM, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(IN(1, ITIMERSPEC), OUT(2, ITIMERSPEC)),
	  .names = { [0] = &names_itimer_which } },
	{ CALL(timer_create), .nargs = 3, .arg = { A_ENUM, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(IN(1, SIGEVENT), OUT(2, SZ(4))),
	  CLOCK },
	{ CALL(timer_settime), .nargs = 4, .arg = { A_INT, A_FLAGS, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(IN(2, ITIMERSPEC), OUT(3, ITIMERSPEC)) },
	{ CALL(timer_gettime), .nargs = 2, .arg = { A_INT, A_PTR }, ZERO, .mem = MEM(OUT(1, ITIMERSPEC)) },
	{ CALL(timer_getoverrun), .nargs = 1, .arg = { A_INT } },
	{ CALL(timer_delete), .nargs = 1, .arg = { A_INT }, ZERO },
	{ CALL(timerfd_create), .serve = SERVE_ANY, .nargs = 2, .arg = { A_ENUM, A_FLAGS }, .ret = RET_FD, CLOCK },
	{ CALL(timerfd_settime), .serve = SERVE_ANY, .nargs = 4, .arg = { A_FD, A_FLAGS, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(IN(2, ITIMERSPEC), OUT(3, ITIMERSPEC)), .names = { [1] = &names_timerfd_settime_flags } },
	{ CALL(timerfd_gettime), .serve = SERVE_ANY, .nargs = 2, .arg = { A_FD, A_PTR }, ZERO, .mem = MEM(OUT(1, ITIMERSPEC)) },
};
ROWS_COUNT(time);
