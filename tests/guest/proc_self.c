/* /proc/self says what is true of this program, in whatever way its files are reached. */
#include "guest.h"
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

extern char **environ;
static char buf[1 << 20];

static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n = 0, r;

	if (fd < 0)
		return -1;
	while ((r = read(fd, buf + n, sizeof(buf) - 1 - n)) > 0)
		n += r;
	buf[n] = 0;
	close(fd);
	return n;
}

static void arguments(int argc, char **argv)
{
	const char *paths[] = { "/proc/self/cmdline", "/proc/thread-self/cmdline", "/proc/self/task/../cmdline", "own" };
	char own[64];

	snprintf(own, sizeof(own), "/proc/%d/cmdline", (int)getpid());
	paths[3] = own;
	for (int i = 0; i < 4; i++) {
		long n = slurp(paths[i]), at = 0;

		CHECK(n > 0);
		for (int a = 0; a < argc; a++) {
			CHECK(at < n && !strcmp(buf + at, argv[a]));
			at += strlen(argv[a]) + 1;
		}
		CHECK(at == n);
	}
	CHECK(slurp("/proc/self/environ") > 0 && !strcmp(buf, environ[0]));
}

static void aux_vector(void)
{
	long n = slurp("/proc/self/auxv");
	unsigned long *v = (unsigned long *)buf;
	int seen = 0;

	CHECK(n > 0 && n % 16 == 0);
	for (long i = 0; i < n / 8 && v[i]; i += 2)
		if (v[i] == AT_PHDR || v[i] == AT_ENTRY || v[i] == AT_RANDOM || v[i] == AT_SYSINFO_EHDR) {
			CHECK(v[i + 1] == getauxval(v[i]));
			seen++;
		}
	SHOW(seen);
}

static void maps(char **argv)
{
	uintptr_t code = (uintptr_t)maps, stack = (uintptr_t)&argv, end = 0;
	int in_code = 0, in_stack = 0, vdso = 0;
	const char *own = strrchr(argv[0], '/') + 1;
	char *save;

	CHECK(slurp("/proc/self/maps") > 0);
	CHECK(!strstr(buf, "sandrec"));
	CHECK(!strstr(buf, "kvm"));
	for (char *l = strtok_r(buf, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		uint64_t from, to;
		char perm[8], name[4096] = "";

		CHECK(sscanf(l, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %4095s", &from, &to, perm, name) >= 3);
		CHECK(from < to && from >= end);
		end = to;
		if (from <= code && code < to)
			in_code += perm[2] == 'x' && strstr(name, own) != NULL;
		if (from <= stack && stack < to)
			in_stack += perm[1] == 'w' && !strcmp(name, "[stack]");
		vdso += !strcmp(name, "[vdso]");
	}
	printf("code %d stack %d vdso %d\n", in_code, in_stack, vdso);
}

static void smaps(void)
{
	unsigned long blocks = 0, sizes = 0;

	CHECK(slurp("/proc/self/smaps") > 0);
	for (char *l = buf; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
		blocks += strspn(l, "0123456789abcdef") >= 8 && l[strspn(l, "0123456789abcdef")] == '-';
		sizes += !strncmp(l, "Size:", 5);
	}
	CHECK(blocks > 3 && sizes >= blocks - 3);
}

static uint64_t status_value(const char *key, int base)
{
	const char *s = strstr(buf, key);

	CHECK(s != NULL);
	return s ? strtoull(s + strlen(key), NULL, base) : 0;
}

static void ignore(int sig)
{
	(void)sig;
}

static void status(void)
{
	sigset_t set;
	char name[16];
	unsigned long fields[60] = { 0 };
	int n = 0;
	char *s, *save;

	signal(SIGUSR1, ignore);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_GET_NAME, name);
	CHECK(slurp("/proc/self/status") > 0);
	CHECK(!strncmp(buf, "Name:\t", 6) && !strncmp(buf + 6, name, strlen(name)));
	CHECK(status_value("\nPid:", 10) == (uint64_t)getpid());
	printf("threads %d\n", (int)status_value("\nThreads:", 10));
	printf("usr1 caught %d, usr2 ignored %d, hup caught %d, winch blocked %d, segv caught %d\n",
	       !!(status_value("\nSigCgt:", 16) & 1 << (SIGUSR1 - 1)), !!(status_value("\nSigIgn:", 16) & 1 << (SIGUSR2 - 1)),
	       !!(status_value("\nSigCgt:", 16) & 1 << (SIGHUP - 1)), !!(status_value("\nSigBlk:", 16) & 1 << (SIGWINCH - 1)),
	       !!(status_value("\nSigCgt:", 16) & 1 << (SIGSEGV - 1)));
	CHECK(status_value("\nVmSize:", 10) > 100 && status_value("\nVmSize:", 10) < 1000000);
	CHECK(status_value("\nFDSize:", 10) <= 256);

	CHECK(slurp("/proc/self/stat") > 0);
	s = strrchr(buf, ')');
	for (s = strtok_r(s + 1, " ", &save); s && n < 50; s = strtok_r(NULL, " ", &save))
		fields[n++ + 3] = strtoul(s, NULL, 10);
	CHECK(n == 50);
	CHECK(fields[4] == (unsigned long)getppid());
	CHECK(fields[26] <= (uintptr_t)status && (uintptr_t)status < fields[27]);
	CHECK(fields[28] > (uintptr_t)&set);
	CHECK(fields[48] < fields[49] && fields[50] < fields[51]);
	CHECK(fields[34] & 1 << (SIGUSR1 - 1));
	CHECK(!strcmp((char *)fields[50], environ[0]));
}

static void comm(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	while (d && (e = readdir(d)))
		CHECK(e->d_name[0] == '.' || atoi(e->d_name) == getpid());
	closedir(d);
	CHECK(slurp("/proc/self/comm") > 0);
	printf("%s", buf);
	prctl(PR_SET_NAME, "renamed");
	CHECK(slurp("/proc/self/comm") > 0);
	printf("%s", buf);
}

static void executable(char **argv)
{
	const char *paths[] = { "/proc/self/exe", "link", "/proc/thread-self/exe" };
	char link[4096], real[4096];
	struct stat a, b;
	struct statx x;
	uint32_t want;
	ssize_t n;

	CHECK(realpath(argv[0], real) != NULL);
	CHECK(slurp(argv[0]) > 64);
	want = sum_of(buf, 4096);
	CHECK(stat(argv[0], &a) == 0);
	CHECK(symlink("/proc/self/exe", "link") == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(slurp(paths[i]) > 64 && sum_of(buf, 4096) == want);
		CHECK(stat(paths[i], &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size);
		CHECK(statx(AT_FDCWD, paths[i], 0, STATX_BASIC_STATS, &x) == 0 && x.stx_ino == a.st_ino);
	}
	memset(link, 'x', sizeof(link));
	n = readlink("/proc/self/exe", link, sizeof(link));
	CHECK(n == (ssize_t)strlen(real) && !memcmp(link, real, n) && link[n] == 'x');
	CHECK(readlink("/proc/self/exe", link, 3) == 3);
	SHOW(readlink("/proc/self/exe", link, 0));
	SHOW(readlink("link", link, sizeof(link)));
	SHOW(open("/proc/self/exe", O_RDWR));
	CHECK(unlink("link") == 0);
}

int main(int argc, char **argv)
{
	arguments(argc, argv);
	aux_vector();
	maps(argv);
	smaps();
	status();
	comm();
	executable(argv);
	return guest_end();
}
