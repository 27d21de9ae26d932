/* execve and execveat that fail, each in its own way, and leave the caller as it was. */
#include <sys/resource.h>

#include "proctest.h"

static char *const args[] = { (char *)"x", NULL };
static char *const env[] = { NULL };
static char *volatile bad = (char *)8; /* volatile: the compiler would warn of it */

static void put(const char *name, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && fchmod(fd, mode) == 0);
	close(fd);
}

static void paths(void)
{
	char longname[5000];

	SHOW(execve("/nonexistent/program", args, env));
	SHOW(execve("", args, env));
	SHOW(execve("/etc/passwd", args, env));
	SHOW(execve("/etc", args, env));
	SHOW(execve("/etc/passwd/x", args, env));
	SHOW(execve("/dev/null", args, env));
	memset(longname, 'a', sizeof(longname));
	longname[sizeof(longname) - 1] = '\0';
	SHOW(execve(longname, args, env));
	longname[300] = '\0';
	SHOW(execve(longname, args, env));
	CHECK(symlink("loop", "loop") == 0);
	SHOW(execve("loop", args, env));
	CHECK(mkfifo("fifo", 0777) == 0);
	SHOW(execve("fifo", args, env));
}

static void formats(void)
{
	put("empty", "", 0, 0755);
	SHOW(execve("./empty", args, env));
	put("text", "no format\n", 10, 0755);
	SHOW(execve("./text", args, env));
	put("elf", "\177ELF\2\1\1", 7, 0755);
	SHOW(execve("./elf", args, env));
	put("noexec", "#!/bin/sh\n", 10, 0644);
	SHOW(execve("./noexec", args, env));
	put("missing", "#!/nonexistent/interpreter\n", 27, 0755);
	SHOW(execve("./missing", args, env));
	put("noname", "#!\n", 3, 0755);
	SHOW(execve("./noname", args, env));
	put("blank", "#!   \n", 6, 0755);
	SHOW(execve("./blank", args, env));
	put("dir-int", "#!/etc\n", 7, 0755);
	SHOW(execve("./dir-int", args, env));
	put("deep0", "#!deep1\n", 8, 0755);
	put("deep1", "#!deep2\n", 8, 0755);
	put("deep2", "#!deep3\n", 8, 0755);
	put("deep3", "#!deep4\n", 8, 0755);
	put("deep4", "#!deep5\n", 8, 0755);
	put("deep5", "#!deep6\n", 8, 0755);
	put("deep6", "#!/bin/true\n", 12, 0755);
	SHOW(execve("deep0", args, env));
}

static void vectors(void)
{
	char *big = malloc(200000), *many[60], **lots = calloc(3000001, sizeof(*lots));

	SHOW(execve(bad, args, env));
	SHOW(execve("/bin/true", (char **)bad, env));
	SHOW(execve("/bin/true", args, (char **)bad));
	SHOW(execve("/bin/true", (char *[]){ bad, NULL }, env));
	memset(big, 'x', 200000);
	big[199999] = '\0';
	SHOW(execve("/bin/true", (char *[]){ big, NULL }, env)); /* one string longer than 128 KiB */
	big[131000] = '\0';
	for (int i = 0; i < 59; i++)
		many[i] = big;
	many[59] = NULL;
	SHOW(execve("/bin/true", many, env));
	SHOW(execve("/bin/true", args, many));
	for (int i = 0; i < 3000000; i++)
		lots[i] = big + 130999;
	SHOW(execve("/bin/true", lots, env));
	free(lots);
	free(big);
}

static void at(void)
{
	int dir = open("/usr", O_RDONLY | O_DIRECTORY), script, null = open("/dev/null", O_RDONLY);

	SHOW(syscall(SYS_execveat, dir, "nonexistent", args, env, 0));
	SHOW(syscall(SYS_execveat, dir, "", args, env, 0));
	SHOW(syscall(SYS_execveat, dir, "", args, env, AT_EMPTY_PATH));
	SHOW(syscall(SYS_execveat, -5, "x", args, env, 0));
	SHOW(syscall(SYS_execveat, 999, "x", args, env, 0));
	SHOW(syscall(SYS_execveat, 999, "", args, env, AT_EMPTY_PATH));
	SHOW(syscall(SYS_execveat, null, "x", args, env, 0));
	SHOW(syscall(SYS_execveat, null, "", args, env, AT_EMPTY_PATH));
	SHOW(syscall(SYS_execveat, AT_FDCWD, "/bin/true", args, env, 0x10000000));
	CHECK(symlink("/bin/true", "link") == 0);
	SHOW(syscall(SYS_execveat, AT_FDCWD, "link", args, env, AT_SYMLINK_NOFOLLOW));
	put("script", "#!/bin/sh\nexit 3\n", 17, 0755);
	script = open("script", O_RDONLY | O_CLOEXEC);
	SHOW(syscall(SYS_execveat, script, "", args, env, AT_EMPTY_PATH));
	close(null);
	close(dir);
	close(script);
}

/* A file that is open for writing cannot be executed. */
static void busy(void)
{
	char bytes[65536];
	int in = open("/bin/true", O_RDONLY), out = open("busy", O_WRONLY | O_CREAT, 0755);
	ssize_t n;

	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		CHECK(write(out, bytes, (size_t)n) == n);
	SHOW(execve("./busy", args, env));
	close(out);
	pid_t pid = fork();

	if (pid == 0) {
		execve("./busy", args, env);
		_exit(1);
	}
	show_end("no longer busy", pid);
}

static int refused_user(void)
{
	put("owner", "#!/bin/true\n", 12, 0700);
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 9;
	SHOW(execve("./owner", args, env));
	return 0;
}

int main(void)
{
	by_line();
	paths();
	formats();
	vectors();
	at();
	busy();
	in_child("another user", refused_user);
	return guest_end();
}
