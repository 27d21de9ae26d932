/* vfork: the child runs in its parent's memory while that one waits. */
#include "proctest.h"

static volatile int shared = 1;
static char *volatile heap;
static char *self;

/* Not inlined: what the child changes must not live in registers of the parent. */
__attribute__((noinline)) static void sees_effects(void)
{
	volatile pid_t parent = getpid();
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 2;
		heap[5] = 'c';
		if (getppid() != parent || getpid() == parent)
			shared = 3;
		_exit(7);
	}
	printf("shared %d heap %c\n", shared, heap[5]);
	show_end("vfork", pid);
	CHECK(getpid() == parent);
}

__attribute__((noinline)) static void then_exec(void)
{
	pid_t pid;
	int seen;

	shared = 10;
	pid = vfork();
	if (pid == 0) {
		shared = 11;
		execl(self, self, "as-child", NULL);
		shared = 12;
		_exit(126);
	}
	seen = shared;
	show_end("vfork and exec", pid); /* waits: the two write to one file */
	printf("shared %d\n", seen);
}

__attribute__((noinline)) static void failed_exec(void)
{
	volatile int error = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/nonexistent/program", "program", NULL);
		error = errno;
		_exit(127);
	}
	printf("exec in the child: %s\n", strerrorname_np(error));
	show_end("vfork, failed exec", pid);
}

__attribute__((noinline)) static void own_descriptors(void)
{
	int fd = open("/dev/null", O_RDONLY);
	pid_t pid = vfork();

	if (pid == 0) {
		close(fd);
		chdir("/");
		umask(0123);
		_exit(fcntl(fd, F_GETFD) == -1 && errno == EBADF ? 0 : 1);
	}
	CHECK(fcntl(fd, F_GETFD) == 0);
	close(fd);
	show_end("descriptors", pid);
	printf("umask %03o\n", umask(022));
	/* The child's maps and unmaps are the parent's. */
	pid = vfork();
	if (pid == 0) {
		heap = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		strcpy(heap, "mapped by the child");
		_exit(0);
	}
	puts(heap);
	show_end("mappings", pid);
	munmap(heap, 8192);
}

__attribute__((noinline)) static void dies(int sig)
{
	pid_t pid = vfork();

	if (pid == 0) {
		kill(getpid(), sig);
		_exit(1);
	}
	show_end("vfork child killed", pid);
}

static volatile int handled;

static void on_usr1(int sig)
{
	handled += sig;
}

__attribute__((noinline)) static void signal_meanwhile(void)
{
	volatile pid_t parent = getpid();
	pid_t pid;

	signal(SIGUSR1, on_usr1);
	pid = vfork();
	if (pid == 0) {
		kill(parent, SIGUSR1); /* waits until the parent goes on */
		kill(parent, SIGUSR1);
		_exit(handled);
	}
	printf("handled %d\n", handled);
	show_end("vfork with a signal for the parent", pid);
	handled = 0;
	pid = vfork();
	if (pid == 0) {
		raise(SIGUSR1); /* the child runs the handler, in the parent's memory */
		_exit(5);
	}
	printf("handled by the child %d\n", handled);
	show_end("vfork with a signal for the child", pid);
}

/* A vfork child that forks. */
__attribute__((noinline)) static void nested(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		pid_t inner = fork();

		if (inner == 0)
			_exit(6);
		shared = wait_for(inner);
		inner = vfork();
		if (inner == 0) {
			heap[9] = 'i';
			_exit(8);
		}
		_exit(wait_for(inner) >> 8);
	}
	printf("inner status %#x heap %c\n", shared, heap[9]);
	show_end("nested", pid);
}

int main(int argc, char **argv)
{
	by_line();
	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "as-child")) {
		puts("the child's program");
		return 31;
	}
	heap = calloc(1, 100);
	sees_effects();
	then_exec();
	failed_exec();
	own_descriptors();
	heap = calloc(1, 100);
	CHECK(kill(getpid(), 0) == 0); /* what looks the function up must not be the child that is killed */
	dies(SIGKILL);
	dies(SIGTERM);
	signal_meanwhile();
	nested();
	for (int i = 0; i < 10; i++)
		sees_effects();
	return guest_end();
}
