/* `monitor` commands. Contract: debug_int.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/debug_int.h"
#include "replay/divergence.h"
#include "replay/replayer.h"

static bool number(const char *arg, uint64_t *n)
{
	char *end;

	*n = strtoull(arg, &end, 0);
	return *arg >= '0' && *arg <= '9' && !*end;
}

static struct stream_reader *open_stream(const struct replay_debug *d)
{
	struct stream_reader *r = NULL;
	char why[256];

	return replayer_open_stream(d->request.dirfd, d->number, &r, why, sizeof(why)) < 0 ? NULL : r;
}

static uint64_t total(struct replay_debug *d)
{
	struct stream_reader *r = open_stream(d);
	uint64_t n = r ? stream_events(r) : 0;

	if (r)
		stream_reader_close(r);
	return n;
}

static void say_where(struct replay_debug *d, FILE *out)
{
	const struct link_place *p = &d->now.at.place;

	fprintf(out, "event %" PRIu64 " of %" PRIu64 "%s, thread %d of process %d", p->events, total(d),
		p->at_event ? ", about to happen" : "", d->now.at.tid, d->pid);
	if (p->exact && !p->anchor && p->steps)
		fprintf(out, ", %" PRIu64 " instructions later", p->steps);
	fprintf(out, "%s\n", d->diversion.sock >= 0 ? "; what you changed is here only, not in the recording" : "");
}

static void when(struct replay_debug *d, const char *arg, FILE *out)
{
	(void)arg;
	say_where(d, out);
}

/* The client does not know that the program stands elsewhere now. */
static void moved(struct replay_debug *d, FILE *out)
{
	debug_moved(d);
	say_where(d, out);
	fprintf(out, "gdb has not seen this move: `maintenance flush register-cache` and `frame` show where it is\n");
}

static void seek(struct replay_debug *d, const char *arg, FILE *out)
{
	uint64_t n;
	int rc;

	if (!number(arg, &n) || n < 1 || n > total(d)) {
		fprintf(out, "usage: monitor seek EVENT, from 1 to %" PRIu64 "\n", total(d));
		return;
	}
	rc = time_seek(d, n);
	if (rc < 0)
		fprintf(out, "cannot go there: %s\n", strerror(-rc));
	else
		moved(d, out);
}

static void checkpoint(struct replay_debug *d, const char *arg, FILE *out)
{
	struct copy *c = debug_checkpoint(d, ++d->users);

	(void)arg;
	if (c)
		fprintf(out, "checkpoint %u\n", c->user);
	else
		fprintf(out, "there is no room for another checkpoint\n");
}

static void checkpoints(struct replay_debug *d, const char *arg, FILE *out)
{
	unsigned own = 0;

	(void)arg;
	for (unsigned i = 0; i < d->ncopies; i++) {
		const struct copy *c = d->copy[i];

		own += c->user != 0;
		if (c->user)
			fprintf(out, "%u: event %" PRIu64 ", thread %d, pc 0x%" PRIx64 "\n", c->user, c->peer.at.place.events,
				c->peer.at.tid, c->peer.at.rip);
	}
	fprintf(out, "%u of yours, %u made on the way\n", own, d->ncopies - own);
}

static void restart(struct replay_debug *d, const char *arg, FILE *out)
{
	uint64_t n;

	if (number(arg, &n))
		for (unsigned i = 0; i < d->ncopies; i++)
			if (d->copy[i]->user && d->copy[i]->user == n) {
				if (time_restart(d, d->copy[i]) < 0)
					fprintf(out, "checkpoint %" PRIu64 " is lost\n", n);
				else
					moved(d, out);
				return;
			}
	fprintf(out, "usage: monitor restart N; `monitor checkpoints` lists them\n");
}

static void threads(struct replay_debug *d, const char *arg, FILE *out)
{
	static pid_t tid[LINK_THREADS_MAX];
	int n = d->base.ops->threads(&d->base, tid, LINK_THREADS_MAX);
	struct debug_regs r;
	char name[64] = "";

	(void)arg;
	for (int i = 0; i < n; i++) {
		d->base.ops->thread_name(&d->base, tid[i], name, sizeof(name));
		if (d->base.ops->get_regs(&d->base, tid[i], &r) == 0)
			fprintf(out, "%c %d %s at 0x%" PRIx64 "\n", tid[i] == d->now.at.tid ? '*' : ' ', tid[i], name, r.r.rip);
	}
}

/* So that two places, or two replays, can be told to be the same. */
static void fingerprint(struct replay_debug *d, const char *arg, FILE *out)
{
	struct link_request q = { .op = LINK_PRINT };
	struct link_print p = { .rc = -EPIPE };
	struct peer *seen = d->diversion.sock >= 0 ? &d->diversion : &d->now;

	(void)arg;
	if (peer_ask(seen, &q, NULL, 0) == 0 && peer_answer(seen, &p, sizeof(p)) == sizeof(p) && p.rc == 0)
		fprintf(out, "%016" PRIx64 "\n", p.print);
	else
		fprintf(out, "it cannot be made: %s\n", strerror((int)-p.rc));
}

/* ---- events ---- */

static void print_event(const struct event *ev, FILE *out)
{
	fprintf(out, "%" PRIu64 " %d ", ev->index, ev->tid);
	switch (ev->type) {
	case REC_SYSCALL:
		fprintf(out, "system call %" PRIu64 " = %" PRId64 "\n", ev->regs.rax, ev->result);
		break;
	case REC_SIGNAL:
	case REC_FAULT: {
		siginfo_t si = { 0 };

		if (ev->annex_len >= sizeof(si))
			memcpy(&si, ev->annex, sizeof(si));
		fprintf(out, "signal %d\n", si.si_signo);
		break;
	}
	default:
		fprintf(out, "%s\n", event_type_name(ev->type));
	}
}

/* Events [from, to), of all kinds or system calls only. */
static void list(struct replay_debug *d, uint64_t from, uint64_t to, bool calls, FILE *out)
{
	struct stream_reader *r = open_stream(d);
	struct event ev;

	if (r && from < stream_events(r) && stream_seek(r, from) == 0)
		while (stream_next(r, &ev) == 1 && ev.index < to)
			if (!calls || ev.type == REC_SYSCALL)
				print_event(&ev, out);
	if (r)
		stream_reader_close(r);
}

static void around(struct replay_debug *d, const char *arg, bool calls, FILE *out)
{
	uint64_t at = d->now.at.place.events, n = 10;

	if (*arg && !number(arg, &n)) {
		fprintf(out, "a number is expected\n");
		return;
	}
	list(d, at > n ? at - n : 0, at + (calls ? 1 : n), calls, out);
}

static void events(struct replay_debug *d, const char *arg, FILE *out)
{
	around(d, arg, false, out);
}

static void syscalls(struct replay_debug *d, const char *arg, FILE *out)
{
	around(d, arg, true, out);
}

static void timeline(struct replay_debug *d, const char *arg, FILE *out)
{
	(void)arg;
	peer_quit(&d->diversion);
	moved(d, out);
}

static void help(struct replay_debug *d, const char *arg, FILE *out);

static const struct {
	const char *name;
	void (*run)(struct replay_debug *d, const char *arg, FILE *out);
	const char *usage, *help;
} commands[] = {
	{ "when", when, "", "say where in the recording the program stands" },
	{ "events", events, " [N]", "list the N events before and after" },
	{ "syscalls", syscalls, " [N]", "list the system calls among the last N events" },
	{ "seek", seek, " EVENT", "go to where so many events are done" },
	{ "checkpoint", checkpoint, "", "remember this place" },
	{ "checkpoints", checkpoints, "", "list the places remembered" },
	{ "restart", restart, " N", "go back to a place remembered" },
	{ "threads", threads, "", "list the threads" },
	{ "fingerprint", fingerprint, "", "a number that stands for all registers and memory here" },
	{ "timeline", timeline, "", "give up what was changed, or a function called, and go on in the recording" },
	{ "help", help, "", "list the commands" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(struct replay_debug *d, const char *arg, FILE *out)
{
	(void)d, (void)arg;
	for (size_t i = 0; i < NCOMMANDS; i++) {
		int n = fprintf(out, "monitor %s%s", commands[i].name, commands[i].usage);

		fprintf(out, "%*s%s\n", n < 24 ? 24 - n : 1, "", commands[i].help);
	}
}

void debug_monitor(struct replay_debug *d, const char *line, FILE *out)
{
	size_t n = strcspn(line, " ");

	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strlen(commands[i].name) == n && !strncmp(line, commands[i].name, n)) {
			commands[i].run(d, line + n + strspn(line + n, " "), out);
			return;
		}
	fprintf(out, "no such command; `monitor help` lists them\n");
}
