/* Names around System V and POSIX IPC, and quotas. Contract: names_sets.h. */
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/quota.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "syscall-emu/names_data.h"

/* As the argument has it: above the quota type. */
#define COMMAND(c) ((uint32_t)(c) << 8)

FLAGS(names_ipc_flags,
	N(IPC_CREAT), N(IPC_EXCL), N(IPC_NOWAIT), { 04000, "SHM_HUGETLB" }, { 010000, "SHM_NORESERVE" });

ENUM(names_ipc_private,
	N(IPC_PRIVATE));

ENUM(names_semctl_cmd,
	N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO), N(GETPID), N(GETVAL), N(GETALL), N(GETNCNT), N(GETZCNT),
	N(SETVAL), N(SETALL), N(SEM_STAT), N(SEM_INFO), { 20, "SEM_STAT_ANY" });

ENUM(names_msgctl_cmd,
	N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO), N(MSG_STAT), N(MSG_INFO), { 13, "MSG_STAT_ANY" });

ENUM(names_shmctl_cmd,
	N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO), N(SHM_LOCK), N(SHM_UNLOCK), N(SHM_STAT), N(SHM_INFO),
	{ 15, "SHM_STAT_ANY" });

FLAGS(names_shmat_flags,
	N(SHM_RDONLY), N(SHM_RND), N(SHM_REMAP), N(SHM_EXEC));

FLAGS(names_msgrcv_flags,
	N(MSG_NOERROR), N(MSG_EXCEPT), N(IPC_NOWAIT), { 040000, "MSG_COPY" });

MIXED(names_quotactl_cmd, ~0xffULL,
	{ COMMAND(Q_SYNC), "Q_SYNC" }, { COMMAND(Q_QUOTAON), "Q_QUOTAON" }, { COMMAND(Q_QUOTAOFF), "Q_QUOTAOFF" },
	{ COMMAND(Q_GETFMT), "Q_GETFMT" }, { COMMAND(Q_GETINFO), "Q_GETINFO" }, { COMMAND(Q_SETINFO), "Q_SETINFO" },
	{ COMMAND(Q_GETQUOTA), "Q_GETQUOTA" }, { COMMAND(Q_SETQUOTA), "Q_SETQUOTA" },
	{ COMMAND(0x800009), "Q_GETNEXTQUOTA" }, { 1, "GRPQUOTA" }, { 2, "PRJQUOTA" });

MIXED(names_mq_open_flags, 3,
	N(O_RDONLY), N(O_WRONLY), N(O_RDWR), N(O_CREAT), N(O_EXCL), N(O_NONBLOCK), N(O_CLOEXEC));
