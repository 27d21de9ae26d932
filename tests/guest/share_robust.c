/*
 * Robust futexes in memory that processes share: whoever holds one when it ends leaves the mark, however it ends, and who waits
 * is woken. By mutexes and by lists of our own.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <signal.h>

#include "guest.h"
#include "proctest.h"

struct shared {
	pthread_mutex_t mutex[4];
	int data;
	struct robust_list entry;
	uint32_t word;
};

static struct shared *sh;

static void make_mutexes(void)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < 4; i++)
		pthread_mutex_init(&sh->mutex[i], &a);
	sh->data = 0;
}

/* What a holder does when it has told the others. */
static void lives(void) { for (;;) pause(); }
static void exits(void) { _exit(3); }
static void leaves_thread(void) { syscall(SYS_exit, 4); }
static void aborts(void) { signal(SIGABRT, SIG_DFL); raise(SIGABRT); }
static int *volatile nowhere = (int *)8;
static void faults(void) { *nowhere = 1; }
static void kills_itself(void) { kill(getpid(), SIGKILL); }
static void execs(void) { execl("/bin/sleep", "sleep", "1000", NULL); }

static pid_t holder(int n, void (*then)(void))
{
	char c;
	int p[2];
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < n; i++)
			pthread_mutex_lock(&sh->mutex[i]);
		sh->data++;
		CHECK(write(p[1], "x", 1) == 1);
		then();
		_exit(99);
	}
	CHECK(read(p[0], &c, 1) == 1);
	close(p[0]);
	close(p[1]);
	return pid;
}

static const char *lock(int i)
{
	int rc = pthread_mutex_lock(&sh->mutex[i]);

	if (rc == EOWNERDEAD) {
		pthread_mutex_consistent(&sh->mutex[i]);
		pthread_mutex_unlock(&sh->mutex[i]);
	} else if (rc == 0) {
		pthread_mutex_unlock(&sh->mutex[i]);
	}
	return rc ? strerrorname_np(rc) : "free";
}

/* A third process waits in the kernel for what the holder has; the first one looks when it has reaped the holder. */
static void one(const char *name, void (*then)(void), int sig, bool reap_first)
{
	int st, waiter_st;
	pid_t pid, waiter;

	make_mutexes();
	pid = holder(3, then);
	waiter = fork();
	if (waiter == 0)
		_exit(!strcmp(lock(1), "EOWNERDEAD"));
	if (sig) {
		usleep(20000); /* the waiter is asleep by then, or not: the result is the same */
		CHECK(kill(pid, sig) == 0);
	}
	if (reap_first)
		CHECK(waitpid(pid, &st, 0) == pid);
	printf("%s: data %d, %s", name, sh->data, lock(0));
	printf(", again %s", lock(0));
	printf(", %s, never held: %s", lock(2), lock(3));
	CHECK(waitpid(waiter, &waiter_st, 0) == waiter);
	printf(", the waiter %s\n", WEXITSTATUS(waiter_st) ? "saw it" : "did not see it");
	if (!reap_first) {
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &st, 0) == pid);
	}
	printf("  ended by %s %d\n", WIFSIGNALED(st) ? "signal" : "exit", WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
}

/* A list of a process's own, with an offset that is not the C library's, held and being locked. */
static void raw(bool pending)
{
	static struct robust_list_head head;
	int p[2], st;
	char c;
	pid_t pid;

	sh->word = 0;
	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		head.list.next = pending ? &head.list : &sh->entry;
		head.list_op_pending = pending ? &sh->entry : NULL;
		head.futex_offset = (char *)&sh->word - (char *)&sh->entry;
		sh->entry.next = &head.list;
		syscall(SYS_set_robust_list, &head, sizeof(head));
		sh->word = (uint32_t)gettid() | FUTEX_WAITERS;
		CHECK(write(p[1], "x", 1) == 1);
		lives();
	}
	CHECK(read(p[0], &c, 1) == 1);
	kill(pid, SIGKILL);
	while (!(__atomic_load_n(&sh->word, __ATOMIC_SEQ_CST) & FUTEX_OWNER_DIED))
		syscall(SYS_futex, &sh->word, FUTEX_WAIT, (uint32_t)pid | FUTEX_WAITERS, NULL, NULL, 0);
	printf("raw%s: %#x\n", pending ? ", pending" : "", sh->word);
	CHECK(waitpid(pid, &st, 0) == pid);
}

/* Damaged lists hold nobody up. */
static void damaged(uintptr_t where)
{
	int p[2], st;
	char c;
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		syscall(SYS_set_robust_list, where, sizeof(struct robust_list_head));
		CHECK(write(p[1], "x", 1) == 1);
		for (;;)
			sh->data++;
	}
	CHECK(read(p[0], &c, 1) == 1);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &st, 0) == pid);
	puts("damaged: went on");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	one("killed, reaped", lives, SIGKILL, true);
	one("killed", lives, SIGKILL, false);
	one("terminated", lives, SIGTERM, true);
	one("exit_group", exits, 0, true);
	one("exit", leaves_thread, 0, true);
	one("abort", aborts, 0, true);
	one("fault", faults, 0, true);
	one("its own SIGKILL", kills_itself, 0, true);
	one("its own SIGKILL, not reaped", kills_itself, 0, false);
	one("exec", execs, 0, false);
	raw(false);
	raw(true);
	damaged(8);
	damaged((uintptr_t)sh + 4);
	return guest_end();
}
