/* The descriptors of another process in /proc: those it has, and no others. */
#include <dirent.h>

#include "proctest.h"

static void list(const char *what, pid_t pid, const char *dir)
{
	char path[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, dir);
	d = opendir(path);
	CHECK(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.' && atoi(e->d_name) > 20;
	closedir(d);
	printf("%s, %s: %d above 20\n", what, dir, n);
}

int main(void)
{
	struct gate ready, end;
	pid_t pid;

	by_line();
	gate_make(&ready);
	gate_make(&end);
	pid = fork();
	if (pid == 0) {
		CHECK(dup2(0, 30) == 30 && dup2(1, 31) == 31);
		gate_open(&ready);
		gate_pass(&end);
		_exit(0);
	}
	gate_pass(&ready);
	list("child", pid, "fd");
	list("child", pid, "fdinfo");
	list("itself", getpid(), "fd");
	gate_open(&end);
	show_end("child", pid);
	return 0;
}
