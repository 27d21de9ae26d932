/* Rows: System V and POSIX IPC, keys. */
#include <sys/ipc.h>

#include "syscall-emu/mm.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

#define SIGEV_THREAD_NOTIFY 2

static int64_t len_message(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)m, (void)parent, (void)ret;
	return p->arg[2] > INT64_MAX - 8 ? -EINVAL : (int64_t)p->arg[2] + 8;
}

/* The type, then the text. */
static int64_t len_received(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			    int64_t ret)
{
	(void)t, (void)p, (void)m, (void)parent;
	return ret < 0 || ret > INT64_MAX - 8 ? 0 : ret + 8;
}

static int64_t len_sembufs(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t n = (uint32_t)p->arg[2];

	(void)t, (void)m, (void)parent, (void)ret;
	return (int64_t)n * 6;
}

/* A mq_notify with SIGEV_THREAD has a pointer to a cookie where others have any value. */
static int64_t len_cookie(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	int32_t notify;

	(void)t, (void)p, (void)m, (void)ret;
	__builtin_memcpy(&notify, (const char *)(uintptr_t)parent + 12, sizeof(notify));
	return notify == SIGEV_THREAD_NOTIFY ? 32 : LEN_ABSENT;
}

static const struct sys_mem notify_cookie[] = { { .dir = MEM_IN, .off = 0, .cap = LENFN(len_cookie) }, { .dir = 0 } };

const struct sys_desc sys_rows_ipc[] = {
	{ CALL(shmget), .nargs = 3, .arg = { A_INT, A_SIZE, A_FLAGS }, .names = { [2] = &names_ipc_flags } },
	{ CALL(shmat), .nargs = 3, .arg = { A_INT, A_ADDR, A_FLAGS }, .ret = RET_ADDR, .replay = BOTH,
	  .emulate = do_shmat,
	  .names = { [2] = &names_shmat_flags } },
	{ CALL(shmdt), .nargs = 1, .arg = { A_ADDR }, ZERO, .replay = REDO, .emulate = do_shmdt },
	{ CALL(shmctl), .nargs = 3, .arg = { A_INT, A_CMD, A_ULONG }, .level = LEVEL_GENERIC, .sel = 1,
	  VARIANTS_OF(shmctl), .names = { [1] = &names_shmctl_cmd } },
	{ CALL(semget), .nargs = 3, .arg = { A_INT, A_INT, A_FLAGS }, .names = { [2] = &names_ipc_flags } },
	{ CALL(semop), .nargs = 3, .arg = { A_INT, A_PTR, A_UINT }, ZERO, .block = BLOCK_ALWAYS,
	  .mem = MEM(IN(1, LENFN(len_sembufs))) },
	{ CALL(semtimedop), .nargs = 4, .arg = { A_INT, A_PTR, A_UINT, A_PTR }, ZERO, .block = BLOCK_ALWAYS,
	  .mem = MEM(IN(1, LENFN(len_sembufs)), IN(3, TIMESPEC)) },
	{ CALL(semctl), .nargs = 4, .arg = { A_INT, A_INT, A_CMD, A_ULONG }, .level = LEVEL_GENERIC, .sel = 2,
	  VARIANTS_OF(semctl), .names = { [2] = &names_semctl_cmd } },
	{ CALL(msgget), .nargs = 2, .arg = { A_INT, A_FLAGS }, .names = { [1] = &names_ipc_flags } },
	{ CALL(msgsnd), .nargs = 4, .arg = { A_INT, A_PTR, A_SIZE, A_FLAGS }, ZERO, .block = BLOCK_ALWAYS, .nb_arg = 3,
	  .nb_mask = IPC_NOWAIT, .mem = MEM(IN(1, LENFN(len_message))) },
	{ CALL(msgrcv), .nargs = 5, .arg = { A_INT, A_PTR, A_SIZE, A_LONG, A_FLAGS }, .ret = RET_LEN,
	  .block = BLOCK_ALWAYS, .nb_arg = 4, .nb_mask = IPC_NOWAIT,
	  .mem = MEM(OUTG(1, LENFN(len_message), LENFN(len_received))), .names = { [4] = &names_msgrcv_flags } },
	{ CALL(msgctl), .nargs = 3, .arg = { A_INT, A_CMD, A_ULONG }, .level = LEVEL_GENERIC, .sel = 1,
	  VARIANTS_OF(msgctl), .names = { [1] = &names_msgctl_cmd } },

	{ CALL(mq_open), .nargs = 4, .arg = { A_STR, A_FLAGS, A_MODE, A_PTR }, .ret = RET_FD,
	  .mem = MEM(IN(3, SZ(64))),
	  .names = { [1] = &names_mq_open_flags } },
	{ CALL(mq_unlink), .nargs = 1, .arg = { A_STR }, ZERO },
	{ CALL(mq_timedsend), .nargs = 5, .arg = { A_FD, A_PTR, A_SIZE, A_UINT, A_PTR }, ZERO, .block = BLOCK_FD,
	  .mem = MEM(IN(1, ARG(2)), IN(4, TIMESPEC)) },
	{ CALL(mq_timedreceive), .nargs = 5, .arg = { A_FD, A_PTR, A_SIZE, A_PTR, A_PTR }, .ret = RET_LEN,
	  .block = BLOCK_FD, .mem = MEM(OUTG(1, ARG(2), RETVAL), OUT(3, SZ(4)), IN(4, TIMESPEC)) },
	{ CALL(mq_notify), .nargs = 2, .arg = { A_FD, A_PTR }, ZERO,
	  .mem = MEM({ .dir = MEM_IN, .arg = 1, .cap = SZ(64), .sub = notify_cookie }) },
	{ CALL(mq_getsetattr), .nargs = 3, .arg = { A_FD, A_PTR, A_PTR }, ZERO,
	  .mem = MEM(IN(1, SZ(64)), OUT(2, SZ(64))) },

	{ CALL(add_key), .serve = SERVE_ALTERS, .nargs = 5, .arg = { A_STR, A_STR, A_PTR, A_SIZE, A_INT }, .mem = MEM(IN(2, ARG(3))) },
	{ CALL(request_key), .serve = SERVE_ALTERS, .nargs = 4, .arg = { A_STR, A_STR, A_STR, A_INT } },
	{ CALL(keyctl), .serve = SERVE_ALTERS, .nargs = 5, .arg = { A_CMD, A_ULONG, A_ULONG, A_ULONG, A_ULONG }, .level = LEVEL_GENERIC,
	  .sel = 0, VARIANTS_OF(keyctl),
	  .names = { [0] = &names_keyctl_cmd } },
};
ROWS_COUNT(ipc);
