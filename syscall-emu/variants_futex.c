/*
 * futex operations. The words stay where they are: the kernel finds waiters by their address. Times are 64-bit. The
 * priority-inheritance operations write the word even when they fail, and are done here (futex_pi.h). Source: futex(2),
 * Linux kernel/futex/.
 */
#include <linux/futex.h>

#include "syscall-emu/futex_pi.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define WORD SZ(4)
#define FUTEX_WORD(n) { .dir = MEM_INOUT, .arg = (n), .flags = MEM_ON_ERROR | MEM_IN_PLACE, .cap = WORD }
#define ROW(op, n, a3, a4, a5) \
	.name = "futex$" #op, .key = (op), .nargs = (n), .arg = { A_PTR, A_CMD, A_UINT, a3, a4, a5 }, \
	.names = { [1] = &names_futex_op }
#define WAITS .block = BLOCK_ALWAYS

const struct sys_desc futex_variants[] = {
	{ ROW(FUTEX_WAIT, 4, A_PTR, 0, 0), .serve = SERVE_FUTEX, WAITS, .mem = MEM(IN(0, WORD), IN(3, TIMESPEC)) },
	{ ROW(FUTEX_WAIT_BITSET, 6, A_PTR, A_ADDR, A_UINT), .serve = SERVE_FUTEX, WAITS, .mem = MEM(IN(0, WORD), IN(3, TIMESPEC)) },
	{ ROW(FUTEX_WAKE, 3, 0, 0, 0), .serve = SERVE_ANY, .mem = MEM(IN(0, WORD)) },
	{ ROW(FUTEX_WAKE_BITSET, 6, A_ADDR, A_ADDR, A_UINT), .serve = SERVE_ANY, .mem = MEM(IN(0, WORD)) },
	{ ROW(FUTEX_WAKE_OP, 6, A_ULONG, A_PTR, A_UINT), .serve = SERVE_ANY, .mem = MEM(IN(0, WORD), FUTEX_WORD(4)) },
	{ ROW(FUTEX_REQUEUE, 5, A_ULONG, A_PTR, 0), .serve = SERVE_ANY, .mem = MEM(IN(0, WORD), IN(4, WORD)) },
	{ ROW(FUTEX_CMP_REQUEUE, 6, A_ULONG, A_PTR, A_UINT), .serve = SERVE_ANY, .mem = MEM(IN(0, WORD), IN(4, WORD)) },
	{ ROW(FUTEX_LOCK_PI, 4, A_PTR, 0, 0), WAITS, .mem = MEM(FUTEX_WORD(0), IN(3, TIMESPEC)),
	  .emulate = do_futex_lock_pi },
	{ ROW(FUTEX_LOCK_PI2, 4, A_PTR, 0, 0), WAITS, .mem = MEM(FUTEX_WORD(0), IN(3, TIMESPEC)),
	  .emulate = do_futex_lock_pi },
	{ ROW(FUTEX_TRYLOCK_PI, 2, 0, 0, 0), .mem = MEM(FUTEX_WORD(0)), .emulate = do_futex_trylock_pi },
	{ ROW(FUTEX_UNLOCK_PI, 2, 0, 0, 0), .mem = MEM(FUTEX_WORD(0)), .emulate = do_futex_unlock_pi },
	{ ROW(FUTEX_WAIT_REQUEUE_PI, 5, A_PTR, A_PTR, 0), WAITS,
	  .mem = MEM(IN(0, WORD), IN(3, TIMESPEC), FUTEX_WORD(4)), .emulate = do_futex_wait_requeue_pi },
	{ ROW(FUTEX_CMP_REQUEUE_PI, 6, A_ULONG, A_PTR, A_UINT), .mem = MEM(IN(0, WORD), FUTEX_WORD(4)),
	  .emulate = do_futex_cmp_requeue_pi },
	{ ROW(FUTEX_FD, 3, 0, 0, 0), REFUSED(ENOSYS, "gone from Linux") },
};
const unsigned n_futex_variants = sizeof(futex_variants) / sizeof(futex_variants[0]);
