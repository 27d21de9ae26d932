/* System V and POSIX queues and semaphores within one process. */
#include "guest.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

struct message {
	long type;
	char text[32];
};

static void messages(void)
{
	struct message m = { 3, "a message" }, got = { 0 };
	struct msqid_ds ds;
	int q = msgget(IPC_PRIVATE, 0600);

	CHECK(q >= 0);
	SHOW(msgsnd(q, &m, 10, 0));
	SHOW(msgctl(q, IPC_STAT, &ds));
	printf("%lu queued\n", (unsigned long)ds.msg_qnum);
	SHOW(msgrcv(q, &got, sizeof(got.text), 4, IPC_NOWAIT));
	SHOW(msgrcv(q, &got, 3, 0, IPC_NOWAIT));
	SHOW(msgrcv(q, &got, sizeof(got.text), 0, 0));
	printf("type %ld '%s'\n", got.type, got.text);
	SHOW(msgctl(q, IPC_RMID, NULL));
}

static void semaphores(void)
{
	struct sembuf up = { 0, 2, 0 }, down = { 0, -1, IPC_NOWAIT };
	unsigned short all[3] = { 9, 9, 9 };
	struct timespec soon = { 0, 1000000 };
	int s = semget(IPC_PRIVATE, 3, 0600);

	CHECK(s >= 0);
	SHOW(semop(s, &down, 1));
	SHOW(semop(s, &up, 1));
	SHOW(semop(s, &down, 1));
	SHOW(semctl(s, 0, GETVAL));
	SHOW(semctl(s, 1, SETVAL, 5));
	SHOW(semctl(s, 0, GETALL, all));
	printf("%u %u %u\n", all[0], all[1], all[2]);
	down.sem_num = 2;
	down.sem_flg = 0;
	SHOW(semtimedop(s, &down, 1, &soon));
	SHOW(semctl(s, 0, IPC_RMID));
}

static void posix_queue(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	char name[64], b[16] = "";
	unsigned prio = 0;
	mqd_t q;

	snprintf(name, sizeof(name), "/sandrec-test-%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
	if (q == (mqd_t)-1) {
		printf("mq_open: %s\n", strerrorname_np(errno));
		return;
	}
	SHOW(mq_send(q, "low", 4, 1));
	SHOW(mq_send(q, "high", 5, 9));
	SHOW(mq_receive(q, b, sizeof(b), &prio));
	printf("'%s' %u\n", b, prio);
	SHOW(mq_getattr(q, &attr));
	printf("%ld left\n", attr.mq_curmsgs);
	SHOW(mq_close(q));
	SHOW(mq_unlink(name));
}

int main(void)
{
	messages();
	semaphores();
	posix_queue();
	return guest_end();
}
