/* How a command that runs a program ends. Contract: outcome.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/outcome.h"
#include "syscall-emu/signal_host.h"

void outcome_repeat(int wait_status)
{
	if (WIFSIGNALED(wait_status) && !WCOREDUMP(wait_status))
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	fflush(NULL);
	signal_host_die(wait_status);
}

static int try_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

int outcome_find_program(const char *name, char *path, size_t len)
{
	const char *dir = getenv("PATH"), *end;
	int found = -ENOENT;

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/')) {
		if ((size_t)snprintf(path, len, "%s", name) >= len)
			return -ENAMETOOLONG;
		return try_file(path);
	}
	if (!dir)
		dir = "/bin:/usr/bin";
	for (;; dir = end + 1) {
		end = strchrnul(dir, ':');
		if ((size_t)snprintf(path, len, "%.*s%s%s", (int)(end - dir), dir, end == dir ? "./" : "/", name) < len) {
			int rc = try_file(path);

			if (rc == 0)
				return 0;
			if (rc == -EACCES)
				found = rc;
		}
		if (!*end)
			return found;
	}
}
