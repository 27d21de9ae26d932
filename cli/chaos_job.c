/* One run with chaos. Contract: chaos_job.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/chaos_job.h"
#include "cli/cli.h"
#include "cli/message.h"
#include "syscall-emu/names.h"

#define SAID_MAX 4096
#define RUN_ARGS 12
#define GRACE 10.0 /* seconds that the supervisor has to finish the recording of what was killed */

double chaos_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- starting ---- */

static char **run_command(const struct chaos_command *c, uint64_t seed, const char *trace)
{
	char seed_text[64], switches[64], places[4200];
	const char *word[RUN_ARGS] = { "sandrec", "run", "-q" };
	size_t n = 3, argc = 0;
	char **argv;

	snprintf(seed_text, sizeof(seed_text), "--chaos=%" PRIu64, seed);
	word[n++] = seed_text;
	if (c->places) {
		snprintf(places, sizeof(places), "--chaos-places=%s", c->places);
		word[n++] = places;
	}
	if (c->switches) {
		snprintf(switches, sizeof(switches), "--chaos-switches=%" PRIu64, c->switches);
		word[n++] = switches;
	}
	word[n++] = "-o";
	word[n++] = trace;
	word[n++] = "--";
	while (c->argv[argc])
		argc++;
	argv = calloc(n + argc + 1, sizeof(*argv));
	for (size_t i = 0; argv && i < n; i++)
		argv[i] = strdup(word[i]);
	for (size_t i = 0; argv && i < argc; i++)
		argv[n + i] = c->argv[i];
	return argv;
}

static _Noreturn void run(const struct chaos_command *c, uint64_t seed, const char *trace, int said)
{
	char **argv = run_command(c, seed, trace);
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!argv || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0)
		_exit(STATUS_RUN_FAILED);
	execv("/proc/self/exe", argv);
	_exit(STATUS_RUN_FAILED);
}

bool chaos_job_start(struct chaos_job *j, const struct chaos_command *c, uint64_t seed, const char *trace)
{
	*j = (struct chaos_job){ .seed = seed, .start = chaos_now() };
	snprintf(j->trace, sizeof(j->trace), "%s", trace);
	j->said = memfd_create("said", MFD_CLOEXEC);
	fflush(NULL);
	j->pid = j->said < 0 ? -1 : fork();
	if (j->pid == 0)
		run(c, seed, trace, j->said);
	if (j->pid > 0)
		return true;
	message_error("cannot start a run: %s", strerror(errno));
	message_hint("check the limits on processes and memory");
	j->pid = 0;
	return false;
}

/* ---- ending ---- */

/* The program is killed, not its supervisor, which completes the recording. */
static void end_program(struct chaos_job *j, enum chaos_end why)
{
	pid_t pid[STUCK_PROCESSES];
	size_t n = stuck_descendants(j->pid, pid, STUCK_PROCESSES);

	for (size_t i = 0; i < n && i < STUCK_PROCESSES; i++)
		kill(pid[i], SIGKILL);
	if (!j->killed) {
		j->end = why;
		j->killed_at = chaos_now();
	}
	j->killed = true;
}

void chaos_job_watch(struct chaos_job *j, const struct chaos_command *c)
{
	double now = chaos_now();

	if (j->killed && now - j->killed_at > GRACE)
		kill(-j->pid, SIGKILL);
	else if (j->killed || stuck_look(&j->stuck, j->pid))
		end_program(j, CHAOS_STUCK);
	else if (c->limit > 0 && now - j->start > c->limit)
		end_program(j, CHAOS_LATE);
}

static char *take_said(int fd)
{
	char *text = calloc(1, SAID_MAX + 1);
	struct stat st;
	off_t from;

	if (!text || fstat(fd, &st) < 0)
		return text;
	from = st.st_size > SAID_MAX ? st.st_size - SAID_MAX : 0;
	if (pread(fd, text, SAID_MAX, from) < 0)
		text[0] = '\0';
	return text;
}

void chaos_job_ended(struct chaos_job *j, int status, struct chaos_result *r)
{
	kill(-j->pid, SIGKILL); /* what it may have left behind */
	*r = (struct chaos_result){ .end = j->end, .status = status, .seconds = chaos_now() - j->start };
	r->said = take_said(j->said);
	close(j->said);
	j->pid = 0;
}

void chaos_job_abandon(struct chaos_job *j)
{
	int status;

	if (!j->pid)
		return;
	kill(-j->pid, SIGKILL);
	while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(j->said);
	j->pid = 0;
}

/* ---- results ---- */

bool chaos_failed(const struct chaos_result *r)
{
	return r->end != CHAOS_ENDED || r->status != 0;
}

bool chaos_same(const struct chaos_result *a, const struct chaos_result *b)
{
	return a->end == b->end && (a->end != CHAOS_ENDED || a->status == b->status);
}

void chaos_describe(const struct chaos_result *r, char *text, size_t len)
{
	if (r->end == CHAOS_STUCK)
		snprintf(text, len, "deadlock: all its threads wait, for ever");
	else if (r->end == CHAOS_LATE)
		snprintf(text, len, "it did not end within %.0f s", r->seconds);
	else if (WIFSIGNALED(r->status))
		snprintf(text, len, "killed by %s", signal_name(WTERMSIG(r->status)));
	else
		snprintf(text, len, "exit status %d", WEXITSTATUS(r->status));
}

bool chaos_impossible(const struct chaos_result *r)
{
	int status = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 0;

	return r->end == CHAOS_ENDED && status >= STATUS_RUN_FAILED && status <= STATUS_NOT_FOUND && r->said &&
	       !strncmp(r->said, "sandrec: ", 9);
}
