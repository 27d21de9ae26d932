/* sandrec test: recordings as regression tests. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "cli/test_exec.h"
#include "cli/test_report.h"
#include "syscall-emu/names.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

#define SAID_MAX 16384
#define JOBS_MAX 256

struct options {
	uint64_t jobs, timeout;
	const char *junit, *exec;
	bool update;
};

static const struct cli_option options[] = {
	{ "jobs", 'j', OPT_UINT, offsetof(struct options, jobs), "N", "replay N recordings at once; 0: as many as processors" },
	{ "timeout", 0, OPT_UINT, offsetof(struct options, timeout), "SECONDS", "end a replay that takes longer, as failed" },
	{ "junit", 0, OPT_STRING, offsetof(struct options, junit), "FILE", "write the results there too, as JUnit's XML" },
	{ "exec", 0, OPT_STRING, offsetof(struct options, exec), "PROG",
	  "run PROG in the recorded world, and show where it behaves differently" },
	{ "update", 0, OPT_FLAG, offsetof(struct options, update), NULL,
	  "with --exec: what it does differently is expected from now on" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "test",
	.operands = "DIR|TRACE...",
	.summary = "replay recordings as regression tests",
	.text = "Replays each recording, or each one in a directory, without its output. One that does anything else than was\n"
		"recorded has failed. The results are printed in TAP, and the exit status is 1 if any failed.\n"
		"With --exec a program runs anew, with the arguments and environment of each recording; calls that the recording\n"
		"has get the recorded results. The test has failed where `sandrec diff` finds a difference, which is shown.",
	.options = options,
	.min = 1,
	.max = -1,
};

/* A replay that is under way. */
struct job {
	pid_t pid;           /* 0: none; leads a process group */
	size_t test;
	int said;            /* memfd: its stderr */
	double start;
	bool late;
};

struct tests {
	const struct options *o;
	size_t n, room, next, shown;
	struct test_case *t;
	char **path;         /* of each */
	struct job *job;
	struct tracedir_scratch scratch;
	size_t njobs, running;
	sigset_t waited;     /* signals that are waited for instead of being delivered */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- which recordings ---- */

static bool add(struct tests *ts, const char *path)
{
	if (ts->n == ts->room) {
		size_t room = ts->room ? 2 * ts->room : 16;
		struct test_case *t = reallocarray(ts->t, room, sizeof(*t));
		char **p = t ? reallocarray(ts->path, room, sizeof(*p)) : NULL;

		if (t)
			ts->t = t;
		if (!p)
			return false;
		ts->path = p;
		ts->room = room;
	}
	ts->t[ts->n] = (struct test_case){ .name = strdup(path) };
	ts->path[ts->n] = strdup(path);
	ts->n++;
	return ts->t[ts->n - 1].name && ts->path[ts->n - 1];
}

static int add_entry(const char *path, const char *name, void *arg)
{
	(void)name;
	return add(arg, path) ? 0 : -ENOMEM;
}

/* A recording's path or name, or a directory of recordings. */
static bool add_operand(struct tests *ts, const char *word)
{
	char path[4096] = "";
	cleanup_close int fd = tracedir_open(word, path, sizeof(path));
	size_t before = ts->n;
	int rc = 0;

	if (fd >= 0 && tracedir_is_trace(path))
		rc = add(ts, path) ? 0 : -ENOMEM;
	else
		rc = tracedir_each_in(word, add_entry, ts);
	if (rc == 0 && ts->n > before)
		return true;
	message_error(rc == -ENOMEM ? "out of memory" : "%s: no recording, and no directory of recordings", word);
	message_hint("`sandrec ls` lists the recordings");
	return false;
}

/* ---- running them ---- */

/* Where the recording of a changed program's run is, until it is known whether anybody wants it. */
static void made_path(const struct tests *ts, size_t test, char *path, size_t len)
{
	snprintf(path, len, "%.4000s/%zu", ts->scratch.path, test);
}

static _Noreturn void run_changed(const struct tests *ts, size_t test, int said)
{
	char made[4200];

	made_path(ts, test, made, sizeof(made));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigprocmask(SIG_UNBLOCK, &ts->waited, NULL);
	test_exec(ts->o->exec, ts->path[test], made, said);
}

static _Noreturn void run_replay(const struct tests *ts, const char *path, int said)
{
	char *const argv[] = { (char *)"sandrec", (char *)"replay", (char *)"--check", (char *)"--", (char *)path, NULL };
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigprocmask(SIG_UNBLOCK, &ts->waited, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
		_exit(STATUS_FAILED);
	execv("/proc/self/exe", argv);
	_exit(STATUS_FAILED);
}

static bool start(struct tests *ts, struct job *j)
{
	j->test = ts->next;
	j->late = false;
	j->start = now();
	j->said = memfd_create("said", MFD_CLOEXEC);
	fflush(NULL);
	j->pid = j->said < 0 ? -1 : fork();
	if (j->pid == 0 && ts->o->exec)
		run_changed(ts, j->test, j->said);
	if (j->pid == 0)
		run_replay(ts, ts->path[j->test], j->said);
	if (j->pid < 0) {
		message_error("cannot start a replay: %s", strerror(errno));
		if (j->said >= 0)
			close(j->said);
		j->pid = 0;
		return false;
	}
	setpgid(j->pid, j->pid); /* whoever of the two comes first */
	ts->next++;
	ts->running++;
	return true;
}

static char *take_said(int fd)
{
	char *text = calloc(1, SAID_MAX + 1), *out = text;

	if (!text || pread(fd, text, SAID_MAX, 0) <= 0) {
		free(text);
		return NULL;
	}
	/* The prefix says nothing here. */
	for (const char *in = text; *in;) {
		size_t len;

		in += strncmp(in, "sandrec: ", 9) ? 0 : 9;
		len = strcspn(in, "\n") + 1;
		len = strnlen(in, len);
		memmove(out, in, len);
		out += len;
		in += len;
	}
	*out = '\0';
	return text;
}

static void judge(struct test_case *t, const struct job *j, int status, const struct options *o)
{
	char why[100] = "";

	t->seconds = now() - j->start;
	t->said = take_said(j->said);
	if (j->late)
		snprintf(why, sizeof(why), "it took more than %" PRIu64 " s", o->timeout);
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the replay was killed by %s", signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == STATUS_DIVERGED)
		snprintf(why, sizeof(why), "it did something else than was recorded");
	else if (WEXITSTATUS(status))
		snprintf(why, sizeof(why), "it cannot be replayed");
	t->verdict = *why ? TEST_FAILED : TEST_PASSED;
	t->why = *why ? strdup(why) : NULL;
}

/* The new recording takes the old one's place. */
static const char *update(struct tests *ts, size_t test, const char *made)
{
	int rc = test_exec_update(ts->path[test], made);
	char *name;

	if (rc < 0)
		return rc == -EINVAL ? "a packed recording cannot be updated" : "the recording cannot be replaced";
	if (asprintf(&name, "%s (updated)", ts->t[test].name) < 0)
		return NULL;
	free(ts->t[test].name);
	ts->t[test].name = name;
	return NULL;
}

static void judge_changed(struct tests *ts, const struct job *j, int status)
{
	struct test_case *t = &ts->t[j->test];
	char made[4200], ignored[256];
	const char *why = NULL;

	made_path(ts, j->test, made, sizeof(made));
	t->seconds = now() - j->start;
	t->said = take_said(j->said);
	if (j->late)
		why = "it took too long";
	else if (!WIFEXITED(status) || WEXITSTATUS(status) > TEST_EXEC_DIFFERENT)
		why = "the program cannot be run in this recording's world";
	else if (WEXITSTATUS(status) == TEST_EXEC_DIFFERENT)
		why = ts->o->update ? update(ts, j->test, made) : "the program behaves differently";
	tracedir_remove(made, ignored, sizeof(ignored));
	t->verdict = why ? TEST_FAILED : TEST_PASSED;
	t->why = why ? strdup(why) : NULL;
}

static void ended(struct tests *ts, pid_t pid, int status)
{
	for (size_t i = 0; i < ts->njobs; i++) {
		struct job *j = &ts->job[i];

		if (j->pid != pid)
			continue;
		kill(-pid, SIGKILL); /* what it may have left behind */
		if (ts->o->exec)
			judge_changed(ts, j, status);
		else
			judge(&ts->t[j->test], j, status, ts->o);
		close(j->said);
		j->pid = 0;
		ts->running--;
	}
}

static void stop_late(struct tests *ts)
{
	for (size_t i = 0; ts->o->timeout && i < ts->njobs; i++) {
		struct job *j = &ts->job[i];

		if (!j->pid || j->late || now() - j->start < (double)ts->o->timeout)
			continue;
		j->late = true;
		kill(-j->pid, SIGKILL);
	}
}

/* The replays are process groups of their own, so that they can be ended as a whole: now it is for us to do that. */
static _Noreturn void interrupted(struct tests *ts, int sig)
{
	for (size_t i = 0; i < ts->njobs; i++)
		if (ts->job[i].pid)
			kill(-ts->job[i].pid, SIGKILL);
	if (ts->scratch.path[0])
		tracedir_scratch_end(&ts->scratch);
	progress_line_wipe();
	signal(sig, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &ts->waited, NULL);
	raise(sig);
	_exit(STATUS_FAILED);
}

static void wait_for_some(struct tests *ts)
{
	const struct timespec step = { .tv_nsec = 100000000 };
	int sig = sigtimedwait(&ts->waited, NULL, &step), status;
	pid_t pid;

	if (sig > 0 && sig != SIGCHLD)
		interrupted(ts, sig);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		ended(ts, pid, status);
	stop_late(ts);
}

static bool run_all(struct tests *ts)
{
	struct progress_line line = { .what = "testing" };
	bool good = true;

	progress_line_begin(&line, isatty(STDOUT_FILENO) ? 0 : ts->n, "recordings");
	if (isatty(STDOUT_FILENO))
		progress_line_end(&line); /* the results themselves show how far it is */
	while (ts->running || (good && ts->next < ts->n)) {
		for (size_t i = 0; good && i < ts->njobs && ts->next < ts->n; i++)
			if (!ts->job[i].pid)
				good = start(ts, &ts->job[i]);
		if (ts->running)
			wait_for_some(ts);
		test_report_tap(ts->t, ts->n, &ts->shown);
		progress_line(&line, ts->shown);
	}
	progress_line_end(&line);
	return good;
}

static void wait_for_signals(struct tests *ts)
{
	sigemptyset(&ts->waited);
	sigaddset(&ts->waited, SIGCHLD);
	sigaddset(&ts->waited, SIGINT);
	sigaddset(&ts->waited, SIGTERM);
	sigaddset(&ts->waited, SIGHUP);
	sigprocmask(SIG_BLOCK, &ts->waited, NULL);
}

static size_t count_jobs(uint64_t wanted)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!wanted)
		wanted = cpus > 0 ? (uint64_t)cpus : 1;
	return wanted < JOBS_MAX ? (size_t)wanted : JOBS_MAX;
}

static int run_tests(struct tests *ts)
{
	double begin = now(), took;
	bool good;
	int rc = 0;

	ts->njobs = count_jobs(ts->o->jobs);
	ts->job = calloc(ts->njobs, sizeof(*ts->job));
	if (!ts->job) {
		message_error("out of memory");
		return STATUS_FAILED;
	}
	wait_for_signals(ts);
	test_report_plan(ts->n);
	good = run_all(ts);
	took = now() - begin;
	test_report_summary(ts->t, ts->shown, took);
	if (ts->o->junit)
		rc = test_report_junit(ts->o->junit, ts->t, ts->shown, took);
	if (rc < 0) {
		message_error("cannot write %s: %s", ts->o->junit, strerror(-rc));
		message_hint("check the directory and the disk's space");
	}
	for (size_t i = 0; i < ts->n; i++)
		good &= ts->t[i].verdict == TEST_PASSED;
	return good && rc == 0 ? STATUS_OK : STATUS_FAILED;
}

static void free_tests(struct tests *ts)
{
	for (size_t i = 0; i < ts->n; i++) {
		free(ts->t[i].name);
		free(ts->t[i].why);
		free(ts->t[i].said);
		free(ts->path[i]);
	}
	free(ts->t);
	free(ts->path);
	free(ts->job);
}

/* Beside the first recording, so that one made there can take its place. */
static bool make_scratch(struct tests *ts)
{
	int rc = tracedir_scratch_make(&ts->scratch, ts->path[0]);

	if (rc == 0)
		return true;
	ts->scratch.path[0] = '\0';
	message_error("cannot make a directory beside %s: %s", ts->path[0], strerror(-rc));
	message_hint("check the permissions of the directory that holds the recordings");
	return false;
}

int cmd_test(int argc, char **argv)
{
	struct options o = { .jobs = 1 };
	struct tests ts = { .o = &o };
	int first, status;
	bool good = true;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	if (o.update && !o.exec) {
		message_error("test: --update goes with --exec only");
		message_hint("`sandrec test --exec PROG --update` accepts what PROG does now");
		return STATUS_USAGE;
	}
	for (int i = first; good && i < argc; i++)
		good = add_operand(&ts, argv[i]);
	good = good && (!o.exec || make_scratch(&ts));
	status = good ? run_tests(&ts) : STATUS_FAILED;
	if (ts.scratch.path[0])
		tracedir_scratch_end(&ts.scratch);
	free_tests(&ts);
	return status;
}
