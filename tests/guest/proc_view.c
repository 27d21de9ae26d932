/* /proc/self tells about this program and nothing about what runs it. */
#include "guest.h"
#include <dirent.h>
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

static ssize_t slurp(const char *path, char *b, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, all = 0;

	if (fd < 0)
		return -1;
	while ((n = read(fd, b + all, size - 1 - all)) > 0)
		all += n;
	b[all] = 0;
	close(fd);
	return all;
}

static char text[1 << 18];

static void names(char **argv)
{
	char path[4096] = "", other[64], head[4] = "", self[4096];
	int fd;

	CHECK(realpath(argv[0], self));
	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	CHECK(strcmp(path, self) == 0);
	fd = open("/proc/self/exe", O_RDONLY);
	CHECK(read(fd, head, 4) == 4 && memcmp(head, ELFMAG, 4) == 0);
	close(fd);
	snprintf(other, sizeof(other), "/proc/%d/exe", getpid());
	memset(path, 0, sizeof(path));
	CHECK(readlink(other, path, sizeof(path) - 1) > 0 && strcmp(path, self) == 0);
	memset(path, 0, sizeof(path));
	CHECK(readlink("/proc/self", path, sizeof(path) - 1) > 0 && atoi(path) == getpid());
	CHECK(slurp("/proc/self/comm", text, sizeof(text)) > 0);
	printf("comm %s", text);
	CHECK(slurp("/proc/thread-self/comm", text, sizeof(text)) > 0);
	printf("comm %s", text);
	SHOW(slurp("/proc/self/nothing", text, sizeof(text)));
}

static void start(int argc, char **argv)
{
	ssize_t n = slurp("/proc/self/cmdline", text, sizeof(text)), at = 0;

	CHECK(n > 0);
	for (int i = 0; i < argc; i++) {
		CHECK(at < n && strcmp(text + at, argv[i]) == 0);
		at += strlen(argv[i]) + 1;
	}
	CHECK(at == n);
	n = slurp("/proc/self/environ", text, sizeof(text));
	at = 0;
	for (char **e = environ; *e; e++) {
		CHECK(at < n && strcmp(text + at, *e) == 0);
		at += strlen(*e) + 1;
	}
	CHECK(at == n);
	n = slurp("/proc/self/auxv", text, sizeof(text));
	CHECK(n > 0 && n % 16 == 0);
	for (Elf64_auxv_t *a = (void *)text; a->a_type != AT_NULL; a++)
		if (a->a_type != AT_HWCAP) /* glibc's answer is its own */
			CHECK(getauxval(a->a_type) == a->a_un.a_val);
}

/* Each line must be well formed and in order; the ones that hold what we know must be there. */
static void maps(void)
{
	static const char data[] = "constant";
	static char writable[100000] = "x";
	unsigned long lo, hi, off, last = 0, stack = (unsigned long)__builtin_frame_address(0);
	int seen_stack = 0, seen_code = 0, seen_data = 0, seen_vdso = 0, seen_const = 0, lines = 0;
	char perm[8], name[4096], *line, *save;

	CHECK(slurp("/proc/self/maps", text, sizeof(text)) > 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
		name[0] = 0;
		CHECK(sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &lo, &hi, perm, &off, name) >= 4);
		CHECK(lo < hi && lo >= last);
		last = hi;
		CHECK(!strstr(name, "kvm") && !strstr(name, "ring"));
		seen_stack |= stack >= lo && stack < hi && !strcmp(name, "[stack]") && !strcmp(perm, "rw-p");
		seen_code |= (unsigned long)maps >= lo && (unsigned long)maps < hi && strstr(name, "proc_view") && perm[2] == 'x';
		seen_data |= (unsigned long)writable >= lo && (unsigned long)writable < hi && perm[1] == 'w';
		seen_const |= (unsigned long)data >= lo && (unsigned long)data < hi && perm[1] == '-' && perm[2] == '-';
		seen_vdso |= getauxval(AT_SYSINFO_EHDR) == lo && !strcmp(name, "[vdso]") && !strcmp(perm, "r-xp");
	}
	CHECK(lines > 5);
	printf("stack %d code %d data %d constants %d vdso %d\n", seen_stack, seen_code, seen_data, seen_const, seen_vdso);
}

static void new_mapping(void)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), want[64];

	CHECK(mprotect(p + 4096, 4096, PROT_READ) == 0 && munmap(p + 8192, 4096) == 0);
	CHECK(slurp("/proc/self/maps", text, sizeof(text)) > 0);
	snprintf(want, sizeof(want), "%lx-%lx r--p 00000000 00:00 0", (unsigned long)p + 4096, (unsigned long)p + 8192);
	CHECK(strstr(text, want));
}

static void status(void)
{
	static const char *stable[] = { "Name:", "Umask:", "Tgid:", "TracerPid:", "Uid:", "Gid:", "Threads:", "SigBlk:",
					"SigIgn:", "SigCgt:", "NoNewPrivs:", "Seccomp:" };
	char *line, *save;

	CHECK(slurp("/proc/self/status", text, sizeof(text)) > 0);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		for (size_t i = 0; i < sizeof(stable) / sizeof(stable[0]); i++) {
			if (strncmp(line, stable[i], strlen(stable[i])))
				continue;
			if (!strcmp(stable[i], "Tgid:"))
				CHECK(atoi(line + 5) == getpid());
			else
				puts(line);
		}
	CHECK(slurp("/proc/self/stat", text, sizeof(text)) > 0);
	CHECK(atoi(text) == getpid());
	printf("%.12s\n", strchr(text, '('));
	CHECK(slurp("/proc/self/statm", text, sizeof(text)) > 0 && atoi(text) > 10);
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static void descriptors(void)
{
	char path[64], target[4096];
	struct dirent **list;
	int fd = open("text", O_RDONLY), n;

	CHECK(fd >= 0);
	n = scandir("/proc/self/fd", &list, NULL, by_number);
	for (int i = 0; i < n; i++)
		printf("descriptor entry %s\n", list[i]->d_name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(target, 0, sizeof(target));
	CHECK(readlink(path, target, sizeof(target) - 1) > 0);
	printf("-> %s\n", strrchr(target, '/'));
	CHECK(open(path, O_RDONLY) >= 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	CHECK(slurp(path, text, sizeof(text)) > 0 && strncmp(text, "pos:\t0\n", 7) == 0);
	n = scandir("/proc/self/task", &list, NULL, by_number);
	printf("%d entries of tasks\n", n);
	CHECK(n == 3 && atoi(list[2]->d_name) == getpid());
}

static void memory(void)
{
	static volatile char secret[] = "read by file";
	char b[16] = "";
	int fd = open("/proc/self/mem", O_RDWR);

	CHECK(fd >= 0);
	SHOW(pread(fd, b, sizeof(secret), (off_t)secret));
	puts(b);
	SHOW(pwrite(fd, "WRIT", 4, (off_t)secret));
	printf("%s\n", (char *)secret);
	SHOW(pread(fd, b, 1, 8));
}

int main(int argc, char **argv)
{
	names(argv);
	start(argc, argv);
	maps();
	new_mapping();
	status();
	descriptors();
	memory();
	return guest_end();
}
