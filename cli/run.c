/* sandrec run: a program in the virtual machine, recorded. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/outcome.h"
#include "cli/trace.h"
#include "record/confine.h"
#include "record/meeting.h"
#include "record/run.h"
#include "record/world.h"
#include "syscall-emu/process.h"
#include "syscall-emu/serve.h"

#define SLICE_MAX_MS 10000

struct run_options {
	const char *output, *cwd;
	const char *chaos;
	uint64_t slice, switches;
	const char *places;
	bool no_record, no_fast_path, quiet, verbose;
	int cpu, clock;
	const char *answers;
	int sandbox;
	bool allow_net;
	struct option_list rw, allow;
	struct option_list env, inject;
};

static const struct cli_option options[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct run_options, output), "DIR", "record into DIR, which must not exist" },
	{ "no-record", 0, OPT_FLAG, offsetof(struct run_options, no_record), NULL, "only run the program" },
	{ "slice", 0, OPT_UINT, offsetof(struct run_options, slice), "MS",
	  "how long a thread may keep the others of its process waiting (20)" },
	{ "chaos", 0, OPT_OPTIONAL, offsetof(struct run_options, chaos), "SEED",
	  "schedule threads at random, to bring out races" },
	{ "chaos-places", 0, OPT_STRING, offsetof(struct run_options, places), "FILE",
	  "with --chaos: force switches only at the instructions in FILE" },
	{ "chaos-switches", 0, OPT_UINT, offsetof(struct run_options, switches), "N",
	  "with --chaos: schedule as usual after N forced switches" },
	{ "cpu", 0, OPT_CHOICE, offsetof(struct run_options, cpu), "host|x86-64-v2|x86-64-v3",
	  "the CPU that the program sees" },
	{ "clock", 0, OPT_CHOICE, offsetof(struct run_options, clock), "auto|pmu|landmark",
	  "how places in computations are marked" },
	{ "inject", 0, OPT_LIST, offsetof(struct run_options, inject), "CALL:WHAT[:when=N]",
	  "give calls another result, a signal or a delay, as strace does" },
	{ "sandbox", 0, OPT_CHOICE, offsetof(struct run_options, sandbox), "off|strict",
	  "strict: no network, no writing to files, nothing outside of the program's own processes" },
	{ "rw", 0, OPT_LIST, offsetof(struct run_options, rw), "PATH", "with --sandbox=strict: it may write to PATH and below" },
	{ "allow-net", 0, OPT_FLAG, offsetof(struct run_options, allow_net), NULL, "with --sandbox=strict: it may open sockets" },
	{ "allow", 0, OPT_LIST, offsetof(struct run_options, allow), "CALL", "with --sandbox=strict: it may make this call" },
	{ "answers", 0, OPT_STRING, offsetof(struct run_options, answers), "TRACE",
	  "give calls the results that equal ones have in TRACE; the program gets its arguments, too" },
	{ "no-fast-path", 0, OPT_FLAG, offsetof(struct run_options, no_fast_path), NULL,
	  "leave the virtual machine for every system call" },
	{ "env", 0, OPT_LIST, offsetof(struct run_options, env), "NAME=VALUE",
	  "set a variable for the program; NAME alone removes it" },
	{ "cwd", 0, OPT_STRING, offsetof(struct run_options, cwd), "DIR", "run the program in DIR" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct run_options, quiet), NULL, "do not say where the recording is" },
	{ "verbose", 'v', OPT_FLAG, offsetof(struct run_options, verbose), NULL, "say what was refused, and why" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "run",
	.operands = "[--] PROG [ARG]...",
	.summary = "run a program in a virtual machine and record it",
	.text = "The exit status is the program's own; if a signal killed it, sandrec dies of the same signal.\n"
		"127: no such program. 126: it cannot be executed. 125: sandrec itself failed.",
	.options = options,
	.min = 1,
	.max = -1,
	.takes_program = true,
	.usage_status = STATUS_RUN_FAILED,
};

static void apply_environment(const struct option_list *env)
{
	for (size_t i = 0; i < env->n; i++) {
		if (strchr(env->v[i], '='))
			putenv((char *)env->v[i]);
		else
			unsetenv(env->v[i]);
	}
}

static int exec_status(int error)
{
	return error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC;
}

static int not_started(const struct run_request *q, const struct run_result *res)
{
	if (!res->start_error) {
		message_error("%s", res->why);
		return STATUS_RUN_FAILED;
	}
	message_error("cannot execute %s: %s", q->program, res->why);
	message_hint(res->start_error == ENOENT ? "check the interpreter or loader that the program names" :
						  "sandrec runs 64-bit x86-64 Linux programs and scripts");
	return exec_status(res->start_error);
}

/* A seed that nobody gave is made up, and told: the same one makes the same decisions again. */
static bool chaos_seed(const struct run_options *o, uint64_t *seed)
{
	char *end = NULL;

	*seed = 0;
	if (o->slice > SLICE_MAX_MS) {
		message_error("--slice=%" PRIu64 ": at most %d ms", o->slice, SLICE_MAX_MS);
		return false;
	}
	if (!o->chaos)
		return true;
	errno = 0;
	if (*o->chaos)
		*seed = strtoull(o->chaos, &end, 0);
	else if (getrandom(seed, sizeof(uint32_t), 0) < 0)
		errno = EIO;
	if (errno || (end && *end) || *o->chaos == '-' || *seed > INT64_MAX) {
		message_error("--chaos=%s: not a seed", o->chaos);
		message_hint("a number, or nothing to have one made up");
		return false;
	}
	if (!o->quiet)
		message("chaos: seed %" PRIu64, *seed);
	return true;
}

static bool read_places(const char *file, uint64_t *marked, uint32_t *n, int64_t *passed)
{
	if (!file)
		return true;
	*passed = meeting_read(file, marked, n);
	if (*passed >= 0)
		return true;
	message_error("--chaos-places=%s: %s", file, *passed == -EINVAL ? "not a list of places" : strerror((int)-*passed));
	message_hint("`sandrec chaos` makes such files; sandrec(1) says what is in them");
	return false;
}

static bool parse_injections(const struct option_list *l, struct inject *in)
{
	char why[200];

	for (size_t i = 0; i < l->n; i++) {
		if (inject_add(in, l->v[i], why, sizeof(why)))
			continue;
		message_error("run: --inject=%s: %s", l->v[i], why);
		message_hint("for example --inject=openat:errno=ENOENT:when=3; sandrec(1) has the grammar");
		return false;
	}
	return true;
}

static bool wrong_allowance(const char *option, const char *value, int rc)
{
	message_error("run: %s=%s: %s", option, value, rc == -ENOSPC ? "too many, or too long" : strerror(-rc));
	message_hint("%s", *option == '-' && option[2] == 'r' ? "name a directory or file that exists" :
							       "`sandrec syscalls` lists the calls");
	return false;
}

static bool make_sandbox(const struct run_options *o, struct sandbox *s)
{
	char why[200];

	s->strict = o->sandbox == 1;
	s->net = o->allow_net;
	if (!s->strict && (o->rw.n || o->allow.n || o->allow_net)) {
		message_error("run: --rw, --allow and --allow-net go with --sandbox=strict only");
		message_hint("without it everything is allowed");
		return false;
	}
	for (size_t i = 0; i < o->rw.n; i++) {
		int rc = sandbox_allow_path(s, o->rw.v[i]);

		if (rc < 0)
			return wrong_allowance("--rw", o->rw.v[i], rc);
	}
	for (size_t i = 0; i < o->allow.n; i++) {
		int rc = sandbox_allow_call(s, o->allow.v[i]);

		if (rc < 0)
			return wrong_allowance("--allow", o->allow.v[i], rc);
	}
	if (!s->strict || confine_check(s, why, sizeof(why)) == 0)
		return true;
	message_error("%s", why);
	message_hint("see doc/security.md for what the sandbox takes");
	return false;
}

static bool read_answers(const struct run_options *o, int operands, struct world **world)
{
	char path[4096] = "", why[256];
	int dir, rc;

	if (operands > 1 || o->no_record || o->env.n) {
		message_error("run: --answers goes neither with arguments nor with --env or --no-record");
		message_hint("arguments and environment are those of the recording");
		return false;
	}
	dir = trace_open(o->answers, path, sizeof(path));
	if (dir < 0)
		return false;
	rc = world_load(dir, world, why, sizeof(why));
	if (rc == 0)
		return true;
	message_error("%s cannot answer: %s", path, why);
	message_hint("a recording of one process with one thread, which executes no other program, can");
	return false;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o = { 0 };
	struct run_result *res = calloc(1, sizeof(*res));
	static struct inject inject;
	static struct sandbox sandbox;
	struct world *world = NULL;
	char program[4096];
	static uint64_t marked[TREE_MEETINGS];
	uint32_t nmarked = 0;
	int64_t passed = 0;
	uint64_t seed;
	int first, status, rc;

	if (!res || !options_parse(&command, argc, argv, &o, &first, &status))
		return res ? status : STATUS_RUN_FAILED;
	if (!parse_injections(&o.inject, &inject))
		return STATUS_RUN_FAILED;
	apply_environment(&o.env);
	rc = outcome_find_program(argv[first], program, sizeof(program));
	if (rc < 0) {
		message_error("%s: %s", argv[first], rc == -ENOENT ? "no such program" : strerror(-rc));
		message_hint(rc == -ENOENT ? "check the name and $PATH" : "check the file's permissions");
		return exec_status(-rc);
	}
	if (!make_sandbox(&o, &sandbox))
		return STATUS_RUN_FAILED;
	if (!chaos_seed(&o, &seed) || !read_places(o.places, marked, &nmarked, &passed))
		return STATUS_RUN_FAILED;
	if (o.answers && !read_answers(&o, argc - first, &world))
		return STATUS_RUN_FAILED;
	const struct run_request q = {
		.trace = o.output,
		.program = program,
		.argv = world ? world_image(world)->argv : argv + first,
		.envp = world ? world_image(world)->envp : environ,
		.cwd = o.cwd,
		.world = world,
		.sandbox = &sandbox,
		.version = PACKAGE_VERSION,
		.cpu = (enum cpu_model)o.cpu,
		.clock = (enum run_clock)o.clock,
		.quiet = o.quiet,
		.verbose = o.verbose,
		.slice_ns = o.slice * 1000000,
		.chaos = o.chaos != NULL,
		.seed = seed,
		.places = (uint64_t)passed,
		.marked = o.places ? marked : NULL,
		.nmarked = nmarked,
		.switches = o.switches,
		.inject = &inject,
		.serve = o.no_fast_path ? SERVE_NEVER : process_self.serve,
	};
	rc = o.no_record ? run_plain(&q, res) : run_recorded(&q, res);
	if (rc < 0)
		return not_started(&q, res);
	if (!o.quiet && isatty(STDERR_FILENO))
		message("recorded in %s", res->trace);
	outcome_repeat(res->status);
}
