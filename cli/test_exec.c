/* Running a changed program against a recording. Contract: test_exec.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/test_exec.h"
#include "trace/tracedir.h"

static void become(char *const argv[], int out, int err)
{
	int null = open("/dev/null", O_RDWR);

	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out < 0 ? null : out, STDOUT_FILENO) >= 0 &&
	    dup2(err, STDERR_FILENO) >= 0)
		execv("/proc/self/exe", argv);
	_exit(TEST_EXEC_IMPOSSIBLE);
}

static void pass_on(int from, int to)
{
	char buf[4096];
	ssize_t n;

	for (off_t at = 0; (n = pread(from, buf, sizeof(buf), at)) > 0; at += n)
		if (write(to, buf, (size_t)n) != n)
			return;
}

void test_exec(const char *program, const char *trace, const char *made, int said)
{
	char answers[4200];
	char *const run[] = { (char *)"sandrec", (char *)"run", (char *)"-q", answers, (char *)"-o", (char *)made,
			      (char *)"--", (char *)program, NULL };
	char *const diff[] = { (char *)"sandrec", (char *)"diff", (char *)"--", (char *)trace, (char *)made, NULL };
	int err = memfd_create("err", MFD_CLOEXEC), status;
	pid_t pid;

	snprintf(answers, sizeof(answers), "--answers=%s", trace);
	pid = err < 0 ? -1 : fork();
	if (pid == 0)
		become(run, -1, err);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		_exit(TEST_EXEC_IMPOSSIBLE);
	if (!tracedir_is_trace(made)) { /* it did not run, and what it said is why */
		pass_on(err, said);
		_exit(TEST_EXEC_IMPOSSIBLE);
	}
	become(diff, said, said);
	_exit(TEST_EXEC_IMPOSSIBLE);
}

int test_exec_update(const char *trace, const char *made)
{
	char old[4200], why[256];
	struct stat st;

	if (lstat(trace, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode)) /* packed */
		return -EINVAL;
	if (snprintf(old, sizeof(old), "%s.old", trace) >= (int)sizeof(old))
		return -ENAMETOOLONG;
	if (rename(trace, old) < 0)
		return -errno;
	if (rename(made, trace) < 0) {
		int rc = -errno;

		return rename(old, trace) < 0 ? -errno : rc;
	}
	return tracedir_remove(old, why, sizeof(why));
}
