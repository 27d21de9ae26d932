/* Processes in one memory that do not sleep for each other: clone(CLONE_VM) alone. */
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "proctest.h"

#define STACK 65536
#define ROUNDS 40

static volatile int global, word, turns;
static char *heap, *reserved;
static int tid_word;

static long futex(volatile int *at, int op, int value)
{
	return syscall(SYS_futex, at, op, value, NULL, NULL, 0);
}

static pid_t start(int (*fn)(void *), int flags, void *arg)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	CHECK(stack != MAP_FAILED);
	return clone(fn, stack + STACK, flags | CLONE_VM | SIGCHLD, arg, &tid_word, NULL, &tid_word);
}

/* The data segment, the heap, a reservation, a stack. */
static int writes(void *arg)
{
	global = 42;
	strcpy(heap, "written by the child");
	reserved[100000] = 'r';
	*(int *)arg = 43;
	return getpid() == getppid() ? 1 : 7;
}

static void all_kinds(void)
{
	int local = 0;
	pid_t pid = start(writes, 0, &local);

	CHECK(pid > 0);
	show_end("child", pid);
	printf("%d '%s' %c %d\n", global, heap, reserved[100000], local);
}

static void wait_for_turn(int mine)
{
	while (word % 2 != mine)
		futex(&word, FUTEX_WAIT_PRIVATE, !mine);
}

static void pass_turn(void)
{
	turns++;
	word++;
	futex(&word, FUTEX_WAKE_PRIVATE, 1);
}

static int plays(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		wait_for_turn(1);
		pass_turn();
	}
	return 0;
}

static void both_run(void)
{
	pid_t pid = start(plays, CLONE_FS | CLONE_SIGHAND, NULL);

	CHECK(pid > 0);
	for (int i = 0; i < ROUNDS; i++) {
		wait_for_turn(0);
		pass_turn();
	}
	show_end("player", pid);
	printf("%d turns\n", turns);
}

static int spins(void *arg)
{
	(void)arg;
	while (!global)
		;
	return 5;
}

static void busy(void)
{
	pid_t pid;

	global = 0;
	pid = start(spins, 0, NULL);
	CHECK(pid > 0);
	usleep(30000);
	global = 1;
	show_end("busy child", pid);
}

static int sleeps(void *arg)
{
	(void)arg;
	usleep(50000);
	return 0;
}

/* The word that the kernel clears at the end says so to whoever waits for it. */
static void tid_cleared(void)
{
	pid_t pid = start(sleeps, CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, NULL);
	int now;

	CHECK(pid > 0);
	while ((now = __atomic_load_n(&tid_word, __ATOMIC_SEQ_CST)) != 0)
		futex(&tid_word, FUTEX_WAIT, now);
	printf("the word is %d\n", tid_word);
	show_end("sleeper", pid);
}

/* An ordinary fork copies, whatever has been shared before. */
static void parted(void)
{
	int pipes[2];
	char c;
	pid_t pid;

	CHECK(pipe(pipes) == 0);
	global = 1;
	pid = fork();
	if (pid == 0) {
		CHECK(read(pipes[0], &c, 1) == 1);
		printf("the copy: %d '%s'\n", global, heap);
		global = 9;
		strcpy(heap, "the copy's");
		_exit(0);
	}
	global = 2;
	strcpy(heap, "the original's");
	CHECK(write(pipes[1], "x", 1) == 1);
	show_end("copy", pid);
	printf("the original: %d '%s'\n", global, heap);
}

/* What one of them maps, allocates and protects the other one has, too. */
static char *volatile made[3];

static int maps(void *arg)
{
	(void)arg;
	made[0] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	made[1] = sbrk(70000);
	strcpy(made[0], "mapped");
	strcpy(made[1] + 60000, "from brk");
	made[2] = malloc(50000);
	strcpy(made[2] + 40000, "from malloc");
	pass_turn();
	wait_for_turn(1);
	printf("the child reads '%s'\n", made[0]);
	return mprotect(made[0] + 4096, 4096, PROT_NONE);
}

static void mappings(void)
{
	int pipes[2];
	pid_t pid;

	word = 1;
	pid = start(maps, 0, NULL);
	CHECK(pid > 0);
	wait_for_turn(0);
	printf("%s, %s, %s\n", made[0], made[1] + 60000, made[2] + 40000);
	strcpy(made[0], "answered");
	pass_turn();
	show_end("mapper", pid);
	CHECK(pipe(pipes) == 0);
	printf("protected: %d\n", write(pipes[1], made[0] + 4096, 1) < 0 && errno == EFAULT);
	printf("unmapped: %d\n", munmap(made[0], 8192));
	free(made[2]);
}

static int executes(void *arg)
{
	execl("/bin/true", "true", (char *)NULL);
	return 1;
	(void)arg;
}

int main(void)
{
	by_line();
	heap = malloc(1000);
	reserved = mmap(NULL, 1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(heap && reserved != MAP_FAILED);
	all_kinds();
	both_run();
	busy();
	tid_cleared();
	parted();
	mappings();
	show_end("program", start(executes, 0, NULL));
	memset(reserved, 1, 8192);
	CHECK(madvise(reserved, 8192, MADV_DONTNEED) == 0);
	printf("given back: %d %d\n", reserved[0], reserved[5000]);
	all_kinds();
	return 0;
}
