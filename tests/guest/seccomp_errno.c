/* Filters that answer with an error number: which call, which arguments, several filters at once. */
#include <time.h>

#include "seccomp.h"

static void status(void)
{
	char text[8192], *line, *save;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	CHECK(n > 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "Seccomp", 7) || !strncmp(line, "NoNewPrivs", 10))
			puts(line);
}

/* Answers, on calls that the program otherwise does not make. */
static void answers(void)
{
	void *p;

	SHOW(refuse_call(SYS_getppid, FAIL_WITH(EPERM), 0));
	SHOW(getppid());
	SHOW(refuse_call(SYS_getuid, FAIL_WITH(0), 0));
	SHOW(getuid());
	SHOW(refuse_call(SYS_getgid, FAIL_WITH(4095), 0));
	printf("largest %ld\n", (syscall(SYS_getgid), (long)errno));
	SHOW(refuse_call(SYS_geteuid, FAIL_WITH(0xffff), 0));
	printf("more %ld\n", (syscall(SYS_geteuid), (long)errno));
	SHOW(refuse_call(SYS_getegid, SECCOMP_RET_USER_NOTIF, 0));
	SHOW(syscall(SYS_getegid));
	SHOW(refuse_call(SYS_getpgid, SECCOMP_RET_TRACE | 7, 0));
	SHOW(getpgid(0));
	SHOW(refuse_call(SYS_getsid, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG));
	CHECK(getsid(0) > 0);
	/* Not done: 0 is no address, and a later mapping is where it would have been anyway. */
	SHOW(refuse_call(SYS_mremap, FAIL_WITH(0), 0));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SHOW((long)mremap(p, 4096, 8192, MREMAP_MAYMOVE));
	SHOW(munmap(p, 4096));
	/* Numbers that are none, and the bit of another ABI. */
	SHOW(refuse_call(-1, FAIL_WITH(EDOM), 0));
	SHOW(syscall(-1));
	SHOW(refuse_call(0x40000000 | SYS_getpid, FAIL_WITH(EILSEQ), 0));
	SHOW(syscall(0x40000000 | SYS_getpid));
	SHOW(refuse_call(9999, FAIL_WITH(EMFILE), 0));
	SHOW(syscall(9999));
	SHOW(syscall(9998));
	SHOW(syscall(0x7700000000 | SYS_getppid));
}

/* By argument, all 64 bits of it. */
static void arguments(void)
{
	struct sock_filter f[] = {
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tkill, 1, 0), RETURN(SECCOMP_RET_ALLOW),
		LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), RETURN(FAIL_WITH(ENOEXEC)),
		LOAD_ARG(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x89abcdef, 0, 3),
		LOAD_ARG_HIGH(0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x01234567, 0, 1), RETURN(FAIL_WITH(EXDEV)),
		LOAD_ARG(5), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1), RETURN(FAIL_WITH(ENOTTY)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff), BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog p = PROG(f);

	SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p));
	SHOW(syscall(SYS_tkill, 0x0123456789abcdef, 0, 0, 0, 0, 0));
	SHOW(syscall(SYS_tkill, 0x0023456789abcdef, 0, 0, 0, 0, 4));
}

/* The newest filter answers first, the strictest answer wins. */
static void several(void)
{
	SHOW(refuse_call(SYS_getpgrp, FAIL_WITH(EPERM), 0));
	SHOW(syscall(SYS_getpgrp));
	SHOW(refuse_call(SYS_getpgrp, FAIL_WITH(EACCES), 0));
	SHOW(syscall(SYS_getpgrp));
	SHOW(refuse_call(SYS_getpgrp, SECCOMP_RET_TRACE, 0));
	SHOW(syscall(SYS_getpgrp));
	SHOW(refuse_call(SYS_getpgrp, SECCOMP_RET_ALLOW, 0));
	SHOW(syscall(SYS_getpgrp));
	SHOW(refuse_call(SYS_seccomp, FAIL_WITH(EPERM), 0));
	SHOW(refuse_call(SYS_getpgrp, FAIL_WITH(EINTR), 0));
	SHOW(syscall(SYS_getpgrp));
}

/* The C library's clocks make no system call in Linux. */
static void clocks(void)
{
	struct timespec ts = { 0 };

	SHOW(refuse_call(SYS_clock_gettime, FAIL_WITH(EPERM), 0));
	CHECK(clock_gettime(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_sec + ts.tv_nsec > 0);
	CHECK(clock_gettime(CLOCK_REALTIME_COARSE, &ts) == 0 && ts.tv_sec > 1000000000);
	SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
	SHOW(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
}

int main(void)
{
	SHOW(prctl(PR_GET_SECCOMP));
	status();
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	answers();
	status();
	SHOW(prctl(PR_GET_SECCOMP));
	arguments();
	clocks();
	several();
	status();
	return guest_end();
}
