/* sandrec replay: a recording once more. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/outcome.h"
#include "cli/trace.h"
#include "replay/divergence.h"
#include "replay/replay.h"
#include "trace/tracedir.h"

struct options {
	bool quiet, check;
	const char *pid;
};

static const struct cli_option options[] = {
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "do not repeat the program's output" },
	{ "check", 0, OPT_FLAG, offsetof(struct options, check), NULL,
	  "only find out: exit with 0 if all went as it was recorded" },
	{ "pid", 'p', OPT_STRING, offsetof(struct options, pid), "PID", "replay this process, not the others" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "replay",
	.operands = "[TRACE]",
	.summary = "run a recording again, exactly",
	.text = "TRACE is a directory, a name that `sandrec ls` shows, or missing: the latest recording. What the program\n"
		"wrote to its standard output and error appears again; the exit status is the recorded one. If the program\n"
		"does anything else than it did then, the difference is printed and the exit status is 70.\n"
		"\n"
		"With -p the output and the exit status are those of one process (`sandrec ps` lists them). Its ancestors\n"
		"run up to the point where they made it; other processes are not started.",
	.options = options,
	.max = 1,
};

int replay_outcome(int rc, const char *path, const struct replay_result *res)
{
	if (rc == 0) {
		if (res->cut[0])
			message("%s ends after event %" PRIu64 ": %s", path, res->events, res->cut);
		if (res->check)
			return STATUS_OK;
		outcome_repeat(res->status);
	}
	if (rc == DIVERGED)
		return STATUS_DIVERGED;
	if (res->why[0]) {
		message_error("%s: %s", path, res->why);
		message_hint(rc == -ESRCH ? "`sandrec ps` lists the processes of a recording" :
			     rc == -EBADMSG ? "the trace is damaged; record the program again" :
			     "`sandrec doctor` says what this machine offers");
	}
	return STATUS_FAILED;
}

static bool find_process(int dir, const char *path, const char *text, int *number)
{
	struct trace_procs ps;
	const struct trace_proc *p;

	if (!trace_procs_read(dir, path, &ps))
		return false;
	p = trace_proc_find(&ps, path, text);
	*number = p ? p->number : 0;
	trace_procs_free(&ps);
	return p;
}

int cmd_replay(int argc, char **argv)
{
	struct replay_result res = { 0 };
	struct options o = { 0 };
	char path[4096] = "";
	int first, status, dir, rc;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	dir = tracedir_open(first < argc ? argv[first] : NULL, path, sizeof(path));
	if (dir < 0) {
		message_error("no recording %s: %s", first < argc ? argv[first] : "yet", strerror(-dir));
		message_hint("`sandrec ls` lists the recordings");
		return STATUS_FAILED;
	}
	struct replay_request q = { .quiet_output = o.quiet || o.check, .check = o.check };

	if (o.pid && !find_process(dir, path, o.pid, &q.only))
		return STATUS_FAILED;
	rc = replay_run(dir, &q, &res);
	close(dir);
	return replay_outcome(rc, path, &res);
}
