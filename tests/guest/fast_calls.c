/*
 * Calls that may be made while the program stays in the machine, many in a row, with everything between them that changes who
 * may make them: threads, processes of both kinds, exec, rights, limits, code that comes and goes.
 */
#include "guest.h"

#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 120

static int zero, file;
static pid_t parent;

/* Calls of several kinds, some of them refused, some of them of the kind that has to be made outside. */
static uint32_t some_calls(unsigned rounds)
{
	uint32_t sum = 0;
	struct timespec a = { 0, 0 }, b;
	struct stat st;
	char buf[64];

	for (unsigned i = 0; i < rounds; i++) {
		CHECK(getppid() == parent);
		CHECK(syscall(SYS_gettid) == getpid());
		CHECK(pread(file, buf, sizeof(buf), i % 3000) == (ssize_t)sizeof(buf));
		sum = sum * 31 + sum_of(buf, sizeof(buf));
		CHECK(read(zero, buf, i % 64) == (ssize_t)(i % 64));
		CHECK(lseek(file, i, SEEK_SET) == (off_t)i);
		CHECK(read(file, buf, 8) == 8);
		sum = sum * 31 + sum_of(buf, 8);
		CHECK(fstat(file, &st) == 0 && st.st_size == 4096);
		CHECK(stat("nothing here", &st) < 0 && errno == ENOENT);
		CHECK(syscall(SYS_read, file, 8, 8) < 0 && errno == EFAULT);
		CHECK(read(77, buf, 8) < 0 && errno == EBADF);
		CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b) == 0);
		CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
		a = b;
		CHECK(syscall(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &b) == 0);
	}
	return sum;
}

static int lines_with(const char *path, const char *text)
{
	FILE *f = fopen(path, "r");
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += !strncmp(line, text, strlen(text));
	if (f)
		fclose(f);
	return n;
}

/* A server is nobody's thread. */
static void only_thread(void)
{
	CHECK(lines_with("/proc/self/status", "Threads:\t1\n") == 1);
	CHECK(access("/proc/thread-self/task", F_OK) < 0); /* a thread has none of its own */
	for (unsigned i = 0; i < 20; i++) {
		char me[64], link[64];
		ssize_t n = readlink("/proc/thread-self", link, sizeof(link) - 1);

		snprintf(me, sizeof(me), "%d/task/%d", getpid(), getpid());
		CHECK(n > 0 && (link[n] = 0, !strcmp(link, me)));
	}
}

static void in_child(const char *what, int (*child)(void))
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		parent = getppid();
		_exit(child() || guest_failed);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	printf("%s: %#x\n", what, status);
}

static int calls_only(void)
{
	printf("child %08x\n", some_calls(ROUNDS));
	fflush(stdout);
	return 0;
}

/* From one call to the next a file is out of reach, if there are rights to give up. */
static int without_rights(void)
{
	struct stat st;

	mkdir("closed", 0700);
	close(open("closed/file", O_CREAT | O_WRONLY, 0600));
	some_calls(ROUNDS);
	CHECK(stat("closed/file", &st) == 0);
	if (getuid())
		return 0;
	CHECK(setgroups(0, NULL) == 0 && syscall(SYS_setresgid, 65534, 65534, 65534) == 0 &&
	      syscall(SYS_setresuid, 65534, 65534, 65534) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK(stat("closed/file", &st) < 0 && errno == EACCES);
		CHECK(getuid() == 65534 && getegid() == 65534);
	}
	return 0;
}

static volatile sig_atomic_t exceeded;

static void on_xfsz(int sig)
{
	(void)sig;
	exceeded++;
}

/* The signal comes to the thread that writes. */
static int beyond_limit(void)
{
	int fd = open("limited", O_CREAT | O_RDWR | O_TRUNC, 0600);
	char page[4096] = "";

	signal(SIGXFSZ, on_xfsz);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(pwrite(fd, page, sizeof(page), 0) == sizeof(page));
	CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 4096, 4096 }) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK(pwrite(fd, page, 100, 0) == 100);
		CHECK(pwrite(fd, page, 100, 4096) < 0 && errno == EFBIG);
		CHECK(exceeded == (int)i + 1);
	}
	return 0;
}

static void *other_thread(void *arg)
{
	char buf[64];

	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(pread(file, buf, sizeof(buf), i) == sizeof(buf));
	CHECK(syscall(SYS_gettid) != getpid());
	return arg;
}

static int with_threads(void)
{
	pthread_t t[2];

	for (unsigned i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, other_thread, NULL) == 0);
	some_calls(ROUNDS);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	some_calls(ROUNDS);
	return 0;
}

static int vforks(void)
{
	for (unsigned i = 0; i < 4; i++) {
		char *argv[] = { (char *)"true", NULL };
		pid_t pid;
		int status;

		some_calls(20);
		pid = vfork();
		if (pid == 0) {
			for (unsigned k = 0; k < 20; k++)
				if (syscall(SYS_getppid) <= 1 || syscall(SYS_lseek, file, k, SEEK_SET) != k)
					_exit(9);
			_exit(3);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
		CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return 0;
}

/* mov %edi, %eax; syscall; ret */
static const unsigned char code[] = { 0x89, 0xf8, 0x0f, 0x05, 0xc3 };
typedef long call_fn(long nr);

static long run_at(unsigned char *at)
{
	long v;

	memcpy(&v, &at, sizeof(v));
	return ((call_fn *)v)(SYS_getppid);
}

static int generated_code(void)
{
	unsigned char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *end = page + 4096;
	unsigned char *moved;

	CHECK(page != MAP_FAILED);
	memset(page, 0xcc, 8192);
	memcpy(page, code, sizeof(code));
	memcpy(end - 4, code, sizeof(code)); /* the instruction ends with the page */
	CHECK(mprotect(page, 8192, PROT_READ | PROT_EXEC) == 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(run_at(page) == parent && run_at(end - 4) == parent);
	printf("code %08x\n", sum_of(page, 8192));
	CHECK(mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	memcpy(end - 3, code, sizeof(code)); /* it lies across two pages */
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(run_at(end - 3) == parent);
	moved = mremap(page, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, page - 65536);
	CHECK(moved == page - 65536);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(run_at(moved) == parent && run_at(moved + 4093) == parent);
	printf("code %08x\n", sum_of(moved, 8192));
	CHECK(mmap(moved, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == moved);
	memcpy(moved + 8, code, sizeof(code));
	CHECK(mprotect(moved, 8192, PROT_READ | PROT_EXEC) == 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(run_at(moved + 8) == parent);
	return 0;
}

/*
 * Its own instructions are the same after thousands of calls. In front of a `syscall` there may be a jump by then
 * (syscall-emu/text_jump.h), whenever a server came to look at the site; what follows is the program's.
 */
static void own_code(void)
{
	static const unsigned char insn[] = { 0x0f, 0x05 };
	const unsigned char *at = (const unsigned char *)(uintptr_t)some_calls;
	const unsigned char *call = memmem((const void *)(uintptr_t)getppid, 16, insn, sizeof(insn));
	uint32_t before = sum_of(at, 256), libc = call ? sum_of(call, 3) : 0;

	CHECK(call != NULL);
	some_calls(ROUNDS);
	CHECK(sum_of(at, 256) == before && call && sum_of(call, 3) == libc);
}

int main(int argc, char **argv)
{
	unsigned char bytes[4096];

	if (argc > 1 && !strcmp(argv[1], "again")) {
		file = atoi(argv[2]);
		zero = open("/dev/zero", O_RDONLY);
		parent = getppid();
		printf("executed %08x\n", some_calls(ROUNDS));
		return guest_end();
	}
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256);
	zero = open("/dev/zero", O_RDONLY);
	file = open("bytes", O_CREAT | O_RDWR | O_TRUNC, 0644);
	parent = getppid();
	CHECK(zero >= 0 && write(file, bytes, sizeof(bytes)) == sizeof(bytes));
	printf("calls %08x\n", some_calls(2 * ROUNDS));
	own_code();
	only_thread();
	in_child("fork", calls_only);
	in_child("rights", without_rights);
	in_child("limit", beyond_limit);
	in_child("threads", with_threads);
	in_child("vfork", vforks);
	in_child("generated", generated_code);
	printf("calls %08x\n", some_calls(ROUNDS));
	if (guest_failed)
		return guest_end();
	fflush(stdout);
	snprintf((char *)bytes, sizeof(bytes), "%d", file);
	execv("/proc/self/exe", (char *[]){ argv[0], (char *)"again", (char *)bytes, NULL });
	return 1;
}
