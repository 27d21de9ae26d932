/* Events as they are compared. Contract: compare.h. */
#include <asm/unistd_64.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/compare.h"
#include "cli/dump_json.h"
#include "cli/event_text.h"
#include "syscall-emu/loader.h"

bool compare_ids_add(struct compare_ids *ids, int id, int label)
{
	if (ids->n == ids->room) {
		size_t room = ids->room ? 2 * ids->room : 64;
		struct compare_id *v = reallocarray(ids->v, room, sizeof(*v));

		if (!v)
			return false;
		ids->v = v;
		ids->room = room;
	}
	ids->v[ids->n++] = (struct compare_id){ id, label };
	return true;
}

static int compare_ids(const void *a, const void *b)
{
	const struct compare_id *x = a, *y = b;

	if (x->id != y->id)
		return (x->id > y->id) - (x->id < y->id);
	return (x->label > y->label) - (x->label < y->label);
}

void compare_ids_sort(struct compare_ids *ids)
{
	qsort(ids->v, ids->n, sizeof(*ids->v), compare_ids);
}

void compare_ids_free(struct compare_ids *ids)
{
	free(ids->v);
	*ids = (struct compare_ids){ 0 };
}

static int compare_id(const void *key, const void *v)
{
	int id = *(const int *)key, other = ((const struct compare_id *)v)->id;

	return (id > other) - (id < other);
}

/* 0 for numbers of processes that were not recorded; process groups are negative. */
static int64_t label(const struct compare_ids *ids, int64_t id)
{
	int key = (int)(id < 0 ? -id : id);
	const struct compare_id *found = NULL;

	if (id == 0 || id == -1)
		return id;
	if (ids->n)
		found = bsearch(&key, ids->v, ids->n, sizeof(*ids->v), compare_id);
	if (!found)
		return 0;
	return id < 0 ? -found->label : found->label;
}

static bool is_call(const char *row, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(row, name, len) && (!row[len] || row[len] == '$');
}

/* Arguments that hold a clock's reading or what is left of a time. Where the decoder knows the type it sees to it. */
static bool is_time(const struct call *c, unsigned i)
{
	static const struct {
		const char *call;
		unsigned arg;
	} times[] = {
		{ "times", 0 }, { "time", 0 }, { "getrusage", 1 }, { "wait4", 3 }, { "waitid", 4 }, { "getitimer", 1 },
		{ "setitimer", 2 }, { "timer_gettime", 1 }, { "timerfd_gettime", 1 }, { "timerfd_settime", 3 },
		{ "timer_settime", 3 }, { "adjtimex", 0 }, { "clock_adjtime", 1 }, { "select", 4 },
	};

	for (size_t k = 0; c->row && k < sizeof(times) / sizeof(times[0]); k++)
		if (times[k].arg == i && is_call(c->row->name, times[k].call))
			return true;
	/* Points in time, not lengths of it. */
	return (c->nr == __NR_futex && i == 3 && (c->arg[1] & FUTEX_CMD_MASK) != FUTEX_WAIT) ||
	       (c->nr == __NR_clock_nanosleep && i == 2 && c->arg[1] & TIMER_ABSTIME);
}

static void hide_pids(struct call *c, const struct compare_ids *ids)
{
	for (unsigned i = 0; c->row && i < c->row->nargs; i++)
		if (c->row->arg[i] == A_PID)
			c->arg[i] = (uint64_t)label(ids, (int32_t)c->arg[i]);
	if (c->row && c->row->ret == RET_PID && !c->failed && !c->unfinished)
		c->result = label(ids, c->result);
	c->no_pids = true;
}

static void put_call(FILE *out, const struct compare_how *how, const struct compare_ids *ids, const struct event *ev,
		     const struct memory *mem, size_t string_max)
{
	struct call c;

	decode_call(&c, ev, mem);
	c.string_max = how->no_data ? 0 : string_max;
	c.no_addresses = !how->addresses;
	c.no_times = !how->times;
	if (!how->pids)
		hide_pids(&c, ids);
	if (c.no_times && !c.failed && (c.nr == __NR_time || c.nr == __NR_times || c.nr == __NR_alarm))
		c.result = 0;
	decode_name(out, &c);
	fputc('(', out);
	for (unsigned i = 0; i < decode_nargs(&c); i++) {
		fputs(i ? ", " : "", out);
		if (c.no_times && c.arg[i] && is_time(&c, i))
			fputs("TIME", out);
		else if (!how->random && c.nr == __NR_getrandom && i == 0)
			fputs("RANDOM", out);
		else
			decode_arg(out, &c, i);
	}
	fputs(") = ", out);
	decode_result(out, &c);
	if (c.string_max == SIZE_MAX)
		decode_text(out, &c);
}

static void put_signal(FILE *out, const struct compare_how *how, const struct compare_ids *ids, const struct event *ev)
{
	siginfo_t si;

	fprintf(out, "--- %s ", dump_signal_name(ev));
	if (ev->annex_len >= sizeof(si)) {
		memcpy(&si, ev->annex, sizeof(si));
		if (!how->pids && (si.si_code <= 0 || si.si_signo == SIGCHLD))
			si.si_pid = (pid_t)label(ids, si.si_pid);
		if (!how->addresses && si.si_code > 0 && ev->type == REC_FAULT)
			si.si_addr = NULL;
		decode_siginfo(out, &si, sizeof(si));
	}
	fputs(" ---", out);
}

static void put_strings(FILE *out, char **v, size_t max)
{
	fputc('[', out);
	for (size_t i = 0; v[i]; i++) {
		size_t len = strlen(v[i]);

		fputs(i ? ", " : "", out);
		decode_quoted(out, v[i], len < max ? len : max, len > max);
	}
	fputc(']', out);
}

static void put_image(FILE *out, const struct event *ev, size_t string_max)
{
	struct exec_params x;

	if (exec_params_decode(ev->annex, ev->annex_len, &x) < 0) {
		fputs("execve(?)", out);
		return;
	}
	fputs("execve(", out);
	decode_quoted(out, x.path, strlen(x.path), false);
	fputs(", ", out);
	put_strings(out, x.argv, string_max);
	fputs(", ", out);
	if (string_max == SIZE_MAX)
		put_strings(out, x.envp, string_max);
	else
		fputs("...", out);
	fputs(") = 0", out);
	exec_params_free(&x);
}

bool compare_wanted(const struct compare_how *how, const struct event *ev, const struct memory *mem)
{
	if (how->syscall)
		return event_is_call(ev, mem, how->syscall) && !(ev->flags & REC_F_RESTART) && !event_starts_image(ev, mem);
	switch (ev->type) {
	case REC_SYSCALL:
		return !(ev->flags & REC_F_RESTART) && !event_starts_image(ev, mem);
	case REC_EXEC:
	case REC_SIGNAL:
	case REC_FAULT:
	case REC_EXIT:
		return true;
	case REC_TSC:
		return how->times;
	default:
		return false;
	}
}

void compare_text(FILE *out, const struct compare_how *how, const struct compare_ids *ids, const struct event *ev,
		  const struct memory *mem, size_t string_max)
{
	switch (ev->type) {
	case REC_EXEC:
		put_image(out, ev, string_max);
		break;
	case REC_SIGNAL:
	case REC_FAULT:
		put_signal(out, how, ids, ev);
		break;
	case REC_EXIT:
		fputs("+++ ", out);
		decode_wait_status(out, (int)ev->result);
		fputs(" +++", out);
		break;
	case REC_TSC:
		fprintf(out, "%s = %" PRIu64, ev->annex_len ? "rdtscp" : "rdtsc", (uint64_t)ev->result);
		break;
	default:
		put_call(out, how, ids, ev, mem, string_max);
	}
}

uint64_t compare_kind(const struct event *ev)
{
	return ev->type == REC_SYSCALL ? (uint32_t)ev->regs.rax : (uint64_t)ev->type << 32;
}
