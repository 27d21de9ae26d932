/*
 * Commands of System V IPC, of keys and of quotas. Source: semctl(2), msgctl(2), shmctl(2), keyctl(2), quotactl(2) and
 * their kernel sources.
 */
#include <errno.h>
#include <linux/ipc.h>
#include <linux/keyctl.h>
#include <linux/msg.h>
#include <linux/quota.h>
#include <linux/dqblk_xfs.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"
#include "trace/event.h"

_Static_assert(sizeof(struct semid64_ds) == 104 && sizeof(struct msqid64_ds) == 120 && sizeof(struct shmid64_ds) == 112,
	       "the kernel's layout");

/*
 * GETALL and SETALL: the array is as long as the set has semaphores, which only the kernel knows. Asked just before, so
 * that the array can be checked; a set that grows in between is another set, with another number.
 */
static int64_t do_sem_all(struct task *t, struct plan *p)
{
	struct semid64_ds ds;
	uint64_t size;
	int64_t ret;

	if (syscall(SYS_semctl, (int)p->arg[0], 0, IPC_STAT, &ds) < 0)
		return -errno;
	size = ds.sem_nsems * sizeof(uint16_t);
	if (!mm_range_ok(t->proc->mm, p->arg[3], size))
		return -EFAULT;
	ret = plan_forward(p, t);
	if (ret < 0 || (uint32_t)p->arg[2] != GETALL)
		return ret;
	return plan_add(p, p->arg[3], size, DATA_MEMORY, NULL) < 0 ? -ENOMEM : ret;
}

#define SEM_ROW(row_name, cmd, kind) \
	.name = row_name, .key = (cmd), .nargs = 4, .arg = { A_INT, A_INT, A_CMD, kind }
#define SEM(cmd) { SEM_ROW("semctl$" #cmd, cmd, A_ULONG) }
#define SEM_IN(cmd, size) { SEM_ROW("semctl$" #cmd, cmd, A_PTR), ZERO, .mem = MEM(IN(3, SZ(size))) }
#define SEM_OUT(cmd, size) { SEM_ROW("semctl$" #cmd, cmd, A_PTR), .mem = MEM(OUT(3, SZ(size))) }
#define SEM_ALL(cmd) { SEM_ROW("semctl$" #cmd, cmd, A_PTR), ZERO, .emulate = do_sem_all }

const struct sys_desc semctl_variants[] = {
	SEM(IPC_RMID),
	SEM_IN(IPC_SET, sizeof(struct semid64_ds)),
	SEM_OUT(IPC_STAT, sizeof(struct semid64_ds)),
	SEM_OUT(IPC_INFO, sizeof(struct seminfo)),
	SEM_OUT(SEM_STAT, sizeof(struct semid64_ds)),
	SEM_OUT(SEM_STAT_ANY, sizeof(struct semid64_ds)),
	SEM_OUT(SEM_INFO, sizeof(struct seminfo)),
	SEM(GETPID),
	SEM(GETVAL),
	SEM(GETNCNT),
	SEM(GETZCNT),
	SEM(SETVAL),
	SEM_ALL(GETALL),
	SEM_ALL(SETALL),
};
const unsigned n_semctl_variants = sizeof(semctl_variants) / sizeof(semctl_variants[0]);

#define ROW(row_name, cmd, kind) .name = row_name, .key = (cmd), .nargs = 3, .arg = { A_INT, A_CMD, kind }
#define MSG_IN(cmd, size) { ROW("msgctl$" #cmd, cmd, A_PTR), ZERO, .mem = MEM(IN(2, SZ(size))) }
#define MSG_OUT(cmd, size) { ROW("msgctl$" #cmd, cmd, A_PTR), .mem = MEM(OUT(2, SZ(size))) }

const struct sys_desc msgctl_variants[] = {
	{ ROW("msgctl$IPC_RMID", IPC_RMID, A_ADDR), ZERO },
	MSG_IN(IPC_SET, sizeof(struct msqid64_ds)),
	MSG_OUT(IPC_STAT, sizeof(struct msqid64_ds)),
	MSG_OUT(IPC_INFO, sizeof(struct msginfo)),
	MSG_OUT(MSG_STAT, sizeof(struct msqid64_ds)),
	MSG_OUT(MSG_STAT_ANY, sizeof(struct msqid64_ds)),
	MSG_OUT(MSG_INFO, sizeof(struct msginfo)),
};
const unsigned n_msgctl_variants = sizeof(msgctl_variants) / sizeof(msgctl_variants[0]);

#define SHM_IN(cmd, size) { ROW("shmctl$" #cmd, cmd, A_PTR), ZERO, .mem = MEM(IN(2, SZ(size))) }
#define SHM_OUT(cmd, size) { ROW("shmctl$" #cmd, cmd, A_PTR), .mem = MEM(OUT(2, SZ(size))) }
#define SHM(cmd) { ROW("shmctl$" #cmd, cmd, A_ADDR), ZERO }

const struct sys_desc shmctl_variants[] = {
	SHM(IPC_RMID),
	SHM_IN(IPC_SET, sizeof(struct shmid64_ds)),
	SHM_OUT(IPC_STAT, sizeof(struct shmid64_ds)),
	SHM_OUT(IPC_INFO, sizeof(struct shminfo64)),
	SHM_OUT(SHM_STAT, sizeof(struct shmid64_ds)),
	SHM_OUT(SHM_STAT_ANY, sizeof(struct shmid64_ds)),
	SHM_OUT(SHM_INFO, sizeof(struct shm_info)),
	SHM(SHM_LOCK),
	SHM(SHM_UNLOCK),
};
const unsigned n_shmctl_variants = sizeof(shmctl_variants) / sizeof(shmctl_variants[0]);

#ifndef KEYCTL_WATCH_KEY
#define KEYCTL_WATCH_KEY 32
#endif

#define KEY_ROW(cmd, n, a1, a2, a3, a4) \
	.name = "keyctl$" #cmd, .key = (cmd), .nargs = (n), .arg = { A_CMD, a1, a2, a3, a4 }
/* The payload's whole length is returned, however short the buffer is. */
#define KEY_TEXT .ret = RET_LEN, .mem = MEM(OUTG(2, ARG(3), RETVAL))

/* The public-key and Diffie-Hellman commands take structures that lead to further ones: they take the generic path. */
const struct sys_desc keyctl_variants[] = {
	{ KEY_ROW(KEYCTL_GET_KEYRING_ID, 3, A_INT, A_INT, 0, 0) },
	{ KEY_ROW(KEYCTL_JOIN_SESSION_KEYRING, 2, A_STR, 0, 0, 0) },
	{ KEY_ROW(KEYCTL_UPDATE, 4, A_INT, A_PTR, A_SIZE, 0), ZERO, .mem = MEM(IN(2, ARG(3))) },
	{ KEY_ROW(KEYCTL_REVOKE, 2, A_INT, 0, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_CHOWN, 4, A_INT, A_UID, A_UID, 0), ZERO },
	{ KEY_ROW(KEYCTL_SETPERM, 3, A_INT, A_UINT, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_DESCRIBE, 4, A_INT, A_PTR, A_SIZE, 0), KEY_TEXT },
	{ KEY_ROW(KEYCTL_CLEAR, 2, A_INT, 0, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_LINK, 3, A_INT, A_INT, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_UNLINK, 3, A_INT, A_INT, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_SEARCH, 5, A_INT, A_STR, A_STR, A_INT) },
	{ KEY_ROW(KEYCTL_READ, 4, A_INT, A_PTR, A_SIZE, 0), KEY_TEXT },
	{ KEY_ROW(KEYCTL_INSTANTIATE, 5, A_INT, A_PTR, A_SIZE, A_INT), ZERO, .mem = MEM(IN(2, ARG(3))) },
	{ KEY_ROW(KEYCTL_NEGATE, 4, A_INT, A_UINT, A_INT, 0), ZERO },
	{ KEY_ROW(KEYCTL_SET_REQKEY_KEYRING, 2, A_INT, 0, 0, 0) },
	{ KEY_ROW(KEYCTL_SET_TIMEOUT, 3, A_INT, A_UINT, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_ASSUME_AUTHORITY, 2, A_INT, 0, 0, 0) },
	{ KEY_ROW(KEYCTL_GET_SECURITY, 4, A_INT, A_PTR, A_SIZE, 0), KEY_TEXT },
	{ KEY_ROW(KEYCTL_SESSION_TO_PARENT, 1, 0, 0, 0, 0), REFUSED(EPERM, "the recorder is the parent") },
	{ KEY_ROW(KEYCTL_REJECT, 5, A_INT, A_UINT, A_UINT, A_INT), ZERO },
	{ KEY_ROW(KEYCTL_INSTANTIATE_IOV, 5, A_INT, A_PTR, A_UINT, A_INT), ZERO,
	  .mem = MEM({ .dir = MEM_IN, .arg = 2, .flags = MEM_ARRAY, .elem = 16, .cap = LENFN(len_iovec_args),
		       .sub = IOV_PIECES(MEM_IN) }) },
	{ KEY_ROW(KEYCTL_INVALIDATE, 2, A_INT, 0, 0, 0), ZERO },
	{ KEY_ROW(KEYCTL_GET_PERSISTENT, 3, A_UID, A_INT, 0, 0) },
	{ KEY_ROW(KEYCTL_RESTRICT_KEYRING, 4, A_INT, A_STR, A_STR, 0), ZERO },
	{ KEY_ROW(KEYCTL_MOVE, 5, A_INT, A_INT, A_INT, A_FLAGS), ZERO },
	{ KEY_ROW(KEYCTL_CAPABILITIES, 3, A_PTR, A_SIZE, 0, 0), .ret = RET_LEN, .mem = MEM(OUTG(1, ARG(2), RETVAL)) },
	{ KEY_ROW(KEYCTL_WATCH_KEY, 4, A_INT, A_FD, A_INT, 0), ZERO },
};
const unsigned n_keyctl_variants = sizeof(keyctl_variants) / sizeof(keyctl_variants[0]);

#ifndef Q_GETNEXTQUOTA
#define Q_GETNEXTQUOTA 0x800009
#endif

/* The command stands above the quota type. */
#define QUOTA_KEY(cmd) ((uint32_t)(cmd) << SUBCMDSHIFT)
#define QUOTA(row_name, cmd, kind) \
	.name = row_name, .key = QUOTA_KEY(cmd), .nargs = 4, .arg = { A_CMD, A_PATH, A_INT, kind }, ZERO
#define QUOTA_FD(row_name, cmd, kind) \
	.name = row_name, .key = QUOTA_KEY(cmd), .nargs = 4, .arg = { A_FD, A_CMD, A_INT, kind }, ZERO

/* Both calls have the same commands and data. */
#define QUOTA_ROWS(R, call) \
	{ R(call "$Q_SYNC", Q_SYNC, A_ADDR) }, \
	{ R(call "$Q_QUOTAON", Q_QUOTAON, A_PATH) }, \
	{ R(call "$Q_QUOTAOFF", Q_QUOTAOFF, A_ADDR) }, \
	{ R(call "$Q_GETFMT", Q_GETFMT, A_PTR), .mem = MEM(OUT(3, SZ(4))) }, \
	{ R(call "$Q_GETINFO", Q_GETINFO, A_PTR), .mem = MEM(OUT(3, SZ(sizeof(struct if_dqinfo)))) }, \
	{ R(call "$Q_SETINFO", Q_SETINFO, A_PTR), .mem = MEM(IN(3, SZ(sizeof(struct if_dqinfo)))) }, \
	{ R(call "$Q_GETQUOTA", Q_GETQUOTA, A_PTR), .mem = MEM(OUT(3, SZ(sizeof(struct if_dqblk)))) }, \
	{ R(call "$Q_SETQUOTA", Q_SETQUOTA, A_PTR), .mem = MEM(IN(3, SZ(sizeof(struct if_dqblk)))) }, \
	{ R(call "$Q_GETNEXTQUOTA", Q_GETNEXTQUOTA, A_PTR), .mem = MEM(OUT(3, SZ(sizeof(struct if_dqblk)))) }, \
	{ R(call "$Q_XGETQUOTA", Q_XGETQUOTA, A_PTR), .mem = MEM(OUT(3, SZ(sizeof(struct fs_disk_quota)))) }, \
	{ R(call "$Q_XGETQSTAT", Q_XGETQSTAT, A_PTR), .mem = MEM(OUT(3, SZ(sizeof(struct fs_quota_stat)))) }

const struct sys_desc quotactl_variants[] = { QUOTA_ROWS(QUOTA, "quotactl") };
const unsigned n_quotactl_variants = sizeof(quotactl_variants) / sizeof(quotactl_variants[0]);

const struct sys_desc quotactl_fd_variants[] = { QUOTA_ROWS(QUOTA_FD, "quotactl_fd") };
const unsigned n_quotactl_fd_variants = sizeof(quotactl_fd_variants) / sizeof(quotactl_fd_variants[0]);
