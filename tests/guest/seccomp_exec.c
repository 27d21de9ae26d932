/* Filters stay over an execution; a refused execution changes nothing. */
#include <sys/wait.h>

#include "seccomp.h"

static int filters_in_status(void)
{
	char text[8192], *line;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	close(fd);
	line = strstr(text, "Seccomp_filters:");
	return line ? atoi(line + 16) : -1;
}

static int again(void)
{
	SHOW(prctl(PR_GET_SECCOMP));
	SHOW(filters_in_status());
	SHOW(getppid());
	SHOW(getsid(0));
	SHOW(refuse_call(SYS_getsid, FAIL_WITH(EPERM), 0));
	SHOW(getsid(0));
	fflush(stdout);
	return guest_failed;
}

int main(int argc, char **argv)
{
	char *args[] = { argv[0], "again", NULL }, *no_env[] = { NULL };
	int status = -1;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "again"))
		return again();
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(refuse_call(SYS_getppid, FAIL_WITH(EPERM), 0));
	SHOW(refuse_call(SYS_getsid, FAIL_WITH(EXDEV), 0));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execve(argv[0], args, no_env);
		_exit(9);
	}
	SHOW(waitpid(pid, &status, 0) == pid);
	SHOW(status);
	SHOW(getsid(0));
	SHOW(refuse_call(SYS_execve, FAIL_WITH(EMLINK), 0));
	SHOW(execve(argv[0], args, no_env));
	return guest_end();
}
