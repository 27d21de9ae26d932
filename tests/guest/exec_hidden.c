/* The recorder's descriptors stay out of sight, in children and in new programs too. */
#include <dirent.h>

#include "proctest.h"

static int list(const char *dir)
{
	DIR *d = opendir(dir);
	int seen[64] = { 0 }, n = 0;

	CHECK(d);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.') {
			n++;
			if (atoi(e->d_name) < 64)
				seen[atoi(e->d_name)] = 1;
		}
	printf("%s: %d:", dir, n);
	for (int fd = 0; fd < 64; fd++)
		if (seen[fd])
			printf(" %d", fd);
	puts("");
	if (d)
		closedir(d);
	return 0;
}

static int both(void)
{
	return list("/proc/self/fd") | list("/dev/fd");
}

/* What is closed here must not take anything of the recorder's along, nor hit it by number. */
static int closes_all(void)
{
	CHECK(close_range(3, ~0U, 0) == 0);
	for (int fd = 3; fd < 70000; fd += 7)
		close(fd);
	CHECK(dup2(0, 1000) == 1000 && close(1000) == 0);
	both();
	return 1;
}

int main(int argc, char **argv)
{
	by_line();
	int fd = dup(0);

	if (argc > 1 && !strcmp(argv[1], "listed")) {
		both();
		in_child("a child of the new program", both);
		return closes_all() + 6;
	}
	both();
	in_child("a child", both);
	in_child("a child that closes all", closes_all);
	close(fd);
	pid_t pid = vfork();

	if (pid == 0) {
		execl(argv[0], argv[0], "listed", NULL);
		_exit(1);
	}
	show_end("a new program", pid);
	both();
	CHECK(fcntl(0, F_GETFD) == 0);
	execl(argv[0], argv[0], "listed", NULL);
	return 1;
}
