/* sandrec chaos: a program again and again, scheduled at random, until it fails. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/chaos_job.h"
#include "cli/cli.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "record/tree.h"
#include "trace/manifest.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

#define JOBS_MAX 256
#define LEARN 3            /* the first runs find out where threads meet */
#define LIMIT_MIN 5.0      /* seconds: what a run may take if --timeout does not say */
#define LIMIT_FACTOR 10.0  /* of the longest of the first ones */
#define LIMIT_FIRST 60.0   /* until it is known what they take */
#define SHRINK_RUNS 40
#define SAID_LINES 12

struct options {
	uint64_t runs, jobs, seed, timeout;
	bool until_fail, no_shrink, quiet;
	const char *output;
};

static const struct cli_option options[] = {
	{ "runs", 'n', OPT_UINT, offsetof(struct options, runs), "N", "how many runs (100)" },
	{ "jobs", 'j', OPT_UINT, offsetof(struct options, jobs), "J", "so many at once; 0: as many as processors" },
	{ "until-fail", 0, OPT_FLAG, offsetof(struct options, until_fail), NULL, "stop at the first failure" },
	{ "seed", 0, OPT_UINT, offsetof(struct options, seed), "S", "the first run's seed; the next one's is one more (1)" },
	{ "timeout", 0, OPT_UINT, offsetof(struct options, timeout), "SECONDS",
	  "a run that takes longer has failed (ten times what the first ones took, at least 5)" },
	{ "no-shrink", 0, OPT_FLAG, offsetof(struct options, no_shrink), NULL,
	  "do not look for a failure with fewer forced switches" },
	{ "output", 'o', OPT_STRING, offsetof(struct options, output), "DIR", "keep the failing recording as DIR" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "only print the results" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "chaos",
	.operands = "[--] PROG [ARG]...",
	.summary = "run a program with random scheduling until it fails",
	.text = "A run fails when it ends with another status than 0, when a signal kills it, when all its threads wait for ever,\n"
		"or when it takes too long. The first failing run's recording is kept. The exit status is 1 if any run failed.",
	.options = options,
	.min = 1,
	.max = -1,
	.takes_program = true,
};

struct chaos_runs {
	const struct options *o;
	struct chaos_command learn, c;      /* of the first runs, and of the others */
	struct tracedir_scratch scratch;
	char places[4200];                  /* file */
	uint64_t met[TREE_MEETINGS], passed;
	uint32_t nmet;
	struct chaos_job *job;
	size_t njobs;
	uint64_t started, done, failed, learnt;
	double longest;                     /* run that did not hang */
	bool stop;                          /* no more runs */
	bool broken;                        /* after a message */
	struct chaos_result first;          /* of the failing run that is kept */
	uint64_t first_seed, first_run, switches;
	char kept[4200];                    /* its recording, while in the scratch directory; "": none */
	sigset_t waited;
};

/* ---- what runs have seen ---- */

static bool read_manifest(const char *trace, struct manifest *m)
{
	char why[256];
	cleanup_close int fd = open(trace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && manifest_read(fd, m, why, sizeof(why)) == 0;
}

static void add_met(struct chaos_runs *cr, uint64_t rip)
{
	for (uint32_t i = 0; i < cr->nmet; i++)
		if (cr->met[i] == rip)
			return;
	if (cr->nmet < TREE_MEETINGS)
		cr->met[cr->nmet++] = rip;
}

static void write_places(struct chaos_runs *cr)
{
	char made[4300];
	FILE *f;

	snprintf(made, sizeof(made), "%s.new", cr->places);
	f = fopen(made, "we");
	if (!f)
		return;
	fprintf(f, "passed %" PRIu64 "\n", cr->passed);
	for (uint32_t i = 0; i < cr->nmet; i++)
		fprintf(f, "%" PRIx64 "\n", cr->met[i]);
	/* A run that is just being started may be reading it. */
	if (fclose(f) || rename(made, cr->places) < 0)
		unlink(made);
}

/* Threads that were never seen to meet may all the same: then any place will do. */
static void learn(struct chaos_runs *cr, const char *trace)
{
	struct manifest m = { 0 };

	if (!read_manifest(trace, &m))
		return;
	for (size_t i = 0; i < m.nmet; i++)
		add_met(cr, m.met[i]);
	if (++cr->learnt > LEARN)
		cr->passed = (cr->passed * 3 + m.places) / 4;
	else
		cr->passed = 2 * cr->nmet;
	manifest_free(&m);
	if (cr->nmet) {
		write_places(cr);
		cr->c.places = cr->places;
	}
}

static void learn_time(struct chaos_runs *cr, const struct chaos_result *r)
{
	double limit;

	if (cr->o->timeout || r->end != CHAOS_ENDED)
		return;
	if (r->seconds > cr->longest)
		cr->longest = r->seconds;
	limit = cr->longest * LIMIT_FACTOR;
	cr->c.limit = cr->learn.limit = limit > LIMIT_MIN ? limit : LIMIT_MIN;
}

static uint64_t forced_switches(const char *trace)
{
	struct manifest m = { 0 };
	uint64_t n = read_manifest(trace, &m) ? m.switches : 0;

	manifest_free(&m);
	return n;
}

static void forget(const char *trace)
{
	char why[256];

	tracedir_remove(trace, why, sizeof(why));
}

/* ---- results ---- */

static void show_said(const char *said)
{
	const char *end = said + strlen(said), *from = end;

	for (unsigned lines = 0; from > said && lines <= SAID_LINES; from--)
		lines += from[-1] == '\n';
	if (from > said)
		from = strchr(from, '\n') + 1;
	for (const char *p = from; p < end;) {
		const char *eol = strchrnul(p, '\n');

		printf("  | %.*s\n", (int)(eol - p), p);
		p = *eol ? eol + 1 : eol;
	}
}

static void report_failure(struct chaos_runs *cr, uint64_t seed, const struct chaos_result *r)
{
	char text[128];

	progress_line_wipe();
	chaos_describe(r, text, sizeof(text));
	printf("seed %" PRIu64 ": %s\n", seed, text);
	if (cr->failed == 1 && r->said)
		show_said(r->said);
	fflush(stdout);
}

static void impossible(struct chaos_runs *cr, const struct chaos_result *r)
{
	progress_line_wipe();
	fputs(r->said, stderr);
	cr->broken = cr->stop = true;
}

static void keep(struct chaos_runs *cr, const struct chaos_job *j, struct chaos_result *r)
{
	snprintf(cr->kept, sizeof(cr->kept), "%s", j->trace);
	free(cr->first.said);
	cr->first = *r;
	r->said = NULL;
	cr->first_seed = j->seed;
	cr->first_run = cr->done;
	cr->switches = forced_switches(j->trace);
}

static void take_result(struct chaos_runs *cr, struct chaos_job *j, int status)
{
	struct chaos_result r;

	chaos_job_ended(j, status, &r);
	cr->done++;
	learn_time(cr, &r);
	if (chaos_impossible(&r)) {
		impossible(cr, &r);
	} else if (chaos_failed(&r)) {
		cr->failed++;
		report_failure(cr, j->seed, &r);
		cr->stop |= cr->o->until_fail;
	}
	if (!cr->broken)
		learn(cr, j->trace);
	if (!cr->broken && chaos_failed(&r) && !cr->kept[0])
		keep(cr, j, &r);
	else
		forget(j->trace);
	free(r.said);
}

/* ---- running them ---- */

static void end_scratch(struct chaos_runs *cr)
{
	unlink(cr->places);
	tracedir_scratch_end(&cr->scratch);
}

static _Noreturn void interrupted(struct chaos_runs *cr, int sig)
{
	for (size_t i = 0; i < cr->njobs; i++)
		chaos_job_abandon(&cr->job[i]);
	progress_line_wipe();
	end_scratch(cr);
	signal(sig, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &cr->waited, NULL);
	raise(sig);
	_exit(STATUS_FAILED);
}

static size_t running(const struct chaos_runs *cr)
{
	size_t n = 0;

	for (size_t i = 0; i < cr->njobs; i++)
		n += cr->job[i].pid != 0;
	return n;
}

static const struct chaos_command *command_of(const struct chaos_runs *cr, const struct chaos_job *j)
{
	return j->seed < cr->o->seed + LEARN ? &cr->learn : &cr->c;
}

static void wait_for_some(struct chaos_runs *cr)
{
	const struct timespec step = { .tv_nsec = 100000000 };
	int sig = sigtimedwait(&cr->waited, NULL, &step), status;
	pid_t pid;

	if (sig > 0 && sig != SIGCHLD)
		interrupted(cr, sig);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < cr->njobs; i++)
			if (cr->job[i].pid == pid)
				take_result(cr, &cr->job[i], status);
	if (sig == SIGCHLD)
		return;
	for (size_t i = 0; i < cr->njobs; i++)
		if (cr->job[i].pid)
			chaos_job_watch(&cr->job[i], command_of(cr, &cr->job[i]));
}

static bool start_next(struct chaos_runs *cr, struct chaos_job *j)
{
	char trace[4200];

	j->seed = cr->o->seed + cr->started++;
	snprintf(trace, sizeof(trace), "%.4000s/%" PRIu64, cr->scratch.path, j->seed);
	return chaos_job_start(j, command_of(cr, j), j->seed, trace);
}

static void run_all(struct chaos_runs *cr)
{
	struct progress_line line = { .what = "running" };

	if (!cr->o->quiet)
		progress_line_begin(&line, cr->o->runs, "runs");
	while (running(cr) || (!cr->stop && cr->started < cr->o->runs)) {
		for (size_t i = 0; !cr->stop && i < cr->njobs && cr->started < cr->o->runs; i++)
			if (!cr->job[i].pid && !start_next(cr, &cr->job[i]))
				cr->stop = cr->broken = true;
		if (running(cr))
			wait_for_some(cr);
		if (!cr->o->quiet)
			progress_line(&line, cr->done);
		for (size_t i = 0; cr->stop && i < cr->njobs; i++)
			chaos_job_abandon(&cr->job[i]);
	}
	if (!cr->o->quiet)
		progress_line_end(&line);
}

/* ---- fewer switches ---- */

/* The same seed again, with at most so many forced switches; true: it failed in the same way, and is what is kept now. */
static bool fails_with(struct chaos_runs *cr, uint64_t switches, unsigned number)
{
	struct chaos_command c = cr->first_seed < cr->o->seed + LEARN ? cr->learn : cr->c;
	struct chaos_job *j = &cr->job[0];
	struct chaos_result r = { 0 };
	char trace[4200];
	bool same;

	c.switches = switches;
	snprintf(trace, sizeof(trace), "%.4000s/fewer.%u", cr->scratch.path, number);
	if (!chaos_job_start(j, &c, cr->first_seed, trace))
		return false;
	while (j->pid) {
		const struct timespec step = { .tv_nsec = 100000000 };
		int sig = sigtimedwait(&cr->waited, NULL, &step), status;

		if (sig > 0 && sig != SIGCHLD)
			interrupted(cr, sig);
		if (waitpid(j->pid, &status, WNOHANG) == j->pid)
			chaos_job_ended(j, status, &r);
		else if (sig != SIGCHLD)
			chaos_job_watch(j, &c);
	}
	same = chaos_failed(&r) && chaos_same(&r, &cr->first) && forced_switches(trace) < cr->switches;
	if (same) {
		forget(cr->kept);
		snprintf(cr->kept, sizeof(cr->kept), "%s", trace);
		cr->switches = forced_switches(trace);
	} else {
		forget(trace);
	}
	free(r.said);
	return same;
}

/*
 * Switches are left out from the end: those before the failure that did not lead to it stay. Threads wait and are woken at
 * times of their own, so the same seed need not take the same turns: each number is tried a few times.
 */
static void shrink(struct chaos_runs *cr)
{
	uint64_t low = 0; /* so many, it seems, are too few */
	unsigned number = 0;

	while (cr->switches > low + 1 && number < SHRINK_RUNS) {
		uint64_t middle = low + (cr->switches - low) / 2;
		bool fails = false;

		for (unsigned i = 0; i < 3 && !fails; i++)
			fails = fails_with(cr, middle, number++);
		if (!fails)
			low = middle;
	}
}

/* ---- the command ---- */

static bool replays(const char *trace, enum chaos_end how)
{
	char *const argv[] = { (char *)"sandrec", (char *)"replay", (char *)"--check", (char *)"--", (char *)trace, NULL };
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		if (how != CHAOS_ENDED)
			dup2(null, STDERR_FILENO); /* it would say that the program was killed, which it was by us */
		execv("/proc/self/exe", argv);
		_exit(STATUS_FAILED);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool keep_for_good(struct chaos_runs *cr, const char *program)
{
	uint64_t before = cr->switches;
	char path[4096];
	int rc;

	if (!cr->o->no_shrink)
		shrink(cr);
	rc = tracedir_scratch_keep(&cr->scratch, cr->kept, cr->o->output, program, path, sizeof(path));
	if (rc < 0) {
		message_error("cannot keep the failing recording%s%s: %s", cr->o->output ? " as " : "",
			      cr->o->output ? cr->o->output : "", strerror(-rc));
		message_hint("give -o a name that does not exist yet, on a disk with space");
		return false;
	}
	printf("kept: %s, seed %" PRIu64 ", %" PRIu64 " forced switches", path, cr->first_seed, cr->switches);
	if (cr->switches < before)
		printf(" (of %" PRIu64 ")", before);
	if (!replays(path, cr->first.end)) {
		printf("; it does not replay\n");
		return false;
	}
	printf("; replayed once, the same\n");
	return true;
}

static void wait_for_signals(struct chaos_runs *cr)
{
	static const int sigs[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };

	sigemptyset(&cr->waited);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaddset(&cr->waited, sigs[i]);
	sigprocmask(SIG_BLOCK, &cr->waited, NULL);
}

static bool prepare(struct chaos_runs *cr, char **argv)
{
	uint64_t jobs = cr->o->jobs ? cr->o->jobs : (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	int rc = tracedir_scratch_make(&cr->scratch, cr->o->output);

	if (rc < 0) {
		message_error("cannot make a directory for recordings: %s", strerror(-rc));
		message_hint("check the permissions, or say where by SANDREC_TRACE_DIR");
		return false;
	}
	cr->njobs = jobs < JOBS_MAX ? jobs : JOBS_MAX;
	cr->job = calloc(cr->njobs, sizeof(*cr->job));
	snprintf(cr->places, sizeof(cr->places), "%.4000s/places", cr->scratch.path);
	cr->c.argv = argv;
	cr->c.limit = cr->o->timeout ? (double)cr->o->timeout : LIMIT_FIRST;
	cr->learn = cr->c;
	wait_for_signals(cr);
	return cr->job != NULL;
}

int cmd_chaos(int argc, char **argv)
{
	struct options o = { .runs = 100, .jobs = 1, .seed = 1 };
	struct chaos_runs *cr = calloc(1, sizeof(*cr));
	bool good = true;
	int first, status;

	if (!cr || !options_parse(&command, argc, argv, &o, &first, &status))
		return cr ? status : STATUS_FAILED;
	cr->o = &o;
	if (!prepare(cr, argv + first))
		return STATUS_FAILED;
	run_all(cr);
	if (!cr->broken)
		printf("%" PRIu64 " of %" PRIu64 " runs failed\n", cr->failed, cr->done);
	if (cr->kept[0] && !cr->broken)
		good = keep_for_good(cr, argv[first]);
	end_scratch(cr);
	return good && !cr->broken && !cr->failed ? STATUS_OK : STATUS_FAILED;
}
