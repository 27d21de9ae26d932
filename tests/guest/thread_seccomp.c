/* Filters of threads: inherited, one's own, given to all (TSYNC), refused to diverging ones, fatal to a thread or all. */
#include <sys/prctl.h>
#include "proctest.h"
#include "seccomp.h"
#include "threadtest.h"

static pthread_barrier_t barrier;
static atomic_int stage;

static int errno_of_getppid(void)
{
	errno = 0;
	return syscall(SYS_getppid) < 0 ? errno : 0;
}

static int deny(long nr, uint32_t verdict, unsigned flags)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, verdict),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 4, f };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static void *inherits(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)errno_of_getppid();
}

static void *own_filter(void *arg)
{
	(void)arg;
	CHECK(deny(SYS_getppid, SECCOMP_RET_ERRNO | 11, 0) == 0);
	CHECK(errno_of_getppid() == 11);
	return join(start(inherits, NULL));
}

static void *told(void *arg)
{
	int fd = *(int *)arg;
	char c;

	stage++;
	if (read(fd, &c, 1) != 1)
		puts("read failed");
	return (void *)(intptr_t)(errno_of_getppid() * 100 + prctl(PR_GET_SECCOMP) * 10 + prctl(PR_GET_NO_NEW_PRIVS));
}

static int sync_all(void)
{
	pthread_t t[3];
	int fd[2];

	CHECK(pipe(fd) == 0);
	for (int i = 0; i < 3; i++)
		t[i] = start(told, fd);
	AWAIT(stage == 3);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	SHOW(deny(SYS_getppid, SECCOMP_RET_ERRNO | 12, SECCOMP_FILTER_FLAG_TSYNC));
	SHOW(errno_of_getppid());
	CHECK(write(fd[1], "abc", 3) == 3);
	for (int i = 0; i < 3; i++)
		printf("told: %ld\n", (long)(intptr_t)join(t[i]));
	/* Again, on top. */
	SHOW(deny(SYS_getppid, SECCOMP_RET_ERRNO | 13, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG));
	SHOW(errno_of_getppid());
	return guest_end();
}

static long odd_tid;

static void *odd(void *arg)
{
	CHECK(deny(SYS_getsid, SECCOMP_RET_ERRNO | 3, 0) == 0);
	odd_tid = gettid_raw();
	return told(arg);
}

static int diverged(void)
{
	pthread_t t;
	int fd[2];
	long r;

	CHECK(pipe(fd) == 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	t = start(odd, fd);
	AWAIT(stage == 1);
	r = deny(SYS_getppid, SECCOMP_RET_ERRNO | 12, SECCOMP_FILTER_FLAG_TSYNC);
	printf("the odd one is named: %d\n", r == odd_tid);
	r = deny(SYS_getppid, SECCOMP_RET_ERRNO | 12, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	printf("%ld %s\n", r, strerrorname_np(errno));
	SHOW(errno_of_getppid());
	SHOW(deny(SYS_getppid, SECCOMP_RET_ERRNO | 14, 0));
	CHECK(write(fd[1], "a", 1) == 1);
	printf("told: %ld\n", (long)(intptr_t)join(t));
	return guest_end();
}

static void *killed(void *arg)
{
	(void)arg;
	stage = 1;
	syscall(SYS_getsid, 0);
	stage = 2;
	return NULL;
}

/* The thread ends, without libc's knowledge; the others go on. */
static int one_killed(void)
{
	int fd[2], left;
	char c;

	CHECK(pipe(fd) == 0);
	CHECK(deny(SYS_getsid, SECCOMP_RET_KILL_THREAD, 0) == 0);
	start(killed, NULL);
	AWAIT(stage);
	nap(20);
	left = stage;
	(void)c;
	printf("the thread was ended in its call: %d\n", left == 1);
	fflush(stdout);
	_exit(7);
}

static int all_killed(void)
{
	CHECK(deny(SYS_getsid, SECCOMP_RET_KILL_PROCESS, 0) == 0);
	start(killed, NULL);
	pause();
	return 0;
}

int main(void)
{
	by_line();
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	printf("own: %ld\n", (long)(intptr_t)join(start(own_filter, NULL)));
	SHOW(errno_of_getppid());
	in_child("all", sync_all);
	in_child("diverged", diverged);
	in_child("one killed", one_killed);
	in_child("all killed", all_killed);
	return guest_end();
}
