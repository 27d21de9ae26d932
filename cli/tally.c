/* Counting events. Contract: tally.h. */
#include <stdlib.h>
#include <string.h>

#include "cli/decode.h"
#include "cli/tally.h"

#define SLOTS (sizeof(((struct tally *)0)->slot) / sizeof(int16_t))
#define CALLS_MAX 4096 /* numbers above the table are a hostile trace's own: the rest share the last entry */

static struct tally_thread *thread_of(struct tally *t, int process, int tid)
{
	struct tally_thread *more;

	for (size_t i = 0; i < t->nthreads; i++) {
		size_t at = (t->last_thread + i) % t->nthreads;

		if (t->thread[at].tid == tid && t->thread[at].process == process) {
			t->last_thread = at;
			return &t->thread[at];
		}
	}
	more = reallocarray(t->thread, t->nthreads + 1, sizeof(*more));
	if (!more)
		return NULL;
	t->thread = more;
	t->last_thread = t->nthreads;
	t->thread[t->nthreads] = (struct tally_thread){ .process = process, .tid = tid };
	return &t->thread[t->nthreads++];
}

static char *name_of(const struct call *c)
{
	char *name = NULL;
	size_t len;
	FILE *f = open_memstream(&name, &len);

	if (!f)
		return NULL;
	decode_name(f, c);
	if (!fclose(f))
		return name;
	free(name);
	return NULL;
}

static struct tally_call *add_call(struct tally *t, char *name)
{
	struct tally_call *more = name ? reallocarray(t->call, t->ncalls + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(name);
		return NULL;
	}
	t->call = more;
	t->call[t->ncalls] = (struct tally_call){ .name = name };
	return &t->call[t->ncalls++];
}

static struct tally_call *call_of(struct tally *t, const struct call *c)
{
	struct tally_call *found = NULL;
	char *name;

	if (c->nr < SLOTS && t->slot[c->nr])
		return &t->call[t->slot[c->nr] - 1];
	name = t->ncalls < CALLS_MAX ? name_of(c) : strdup("(others)");
	for (size_t i = 0; name && !found && i < t->ncalls; i++)
		if (!strcmp(t->call[i].name, name))
			found = &t->call[i];
	if (found)
		free(name);
	else
		found = add_call(t, name);
	if (found && c->nr < SLOTS)
		t->slot[c->nr] = (int16_t)(found - t->call + 1);
	return found;
}

static void add(struct tally_sums *to, const struct tally_sums *s)
{
	to->calls += s->calls;
	to->errors += s->errors;
	to->served += s->served;
	to->ns += s->ns;
	to->moved += s->moved;
	to->recorded += s->recorded;
}

static uint64_t bytes_of(const struct event *ev, const struct memory *mem)
{
	uint64_t n = ev->annex_len;

	for (size_t i = 0; i < mem->n; i++)
		n += mem->piece[i].len;
	return n;
}

static void count_sites(struct tally *t, const struct event *ev, const struct memory *mem)
{
	struct data_site d;

	t->jumped += (ev->flags & (REC_F_SITE | REC_F_SERVED)) == (REC_F_SITE | REC_F_SERVED);
	for (size_t i = 0; i < mem->n; i++) {
		const struct memory_piece *p = &mem->piece[i];

		if (p->kind != DATA_SITE || p->kept != sizeof(d))
			continue;
		memcpy(&d, p->bytes, sizeof(d));
		if (d.verdict < SITE_VERDICTS)
			t->sites[d.verdict]++;
	}
}

static bool count_call(struct tally *t, struct tally_thread *th, uint64_t ns, const struct event *ev,
		       const struct memory *mem)
{
	struct tally_sums s = { .calls = 1, .ns = ns, .recorded = bytes_of(ev, mem) };
	struct tally_call *named;
	struct call c;

	decode_call(&c, ev, mem);
	named = call_of(t, &c);
	if (!named)
		return false;
	s.errors = c.failed;
	s.served = !!(ev->flags & REC_F_SERVED);
	if (c.row && c.row->ret == RET_LEN && !c.failed && !c.unfinished && c.result > 0)
		s.moved = (uint64_t)c.result;
	count_sites(t, ev, mem);
	add(&named->sum, &s);
	add(&th->sum, &s);
	add(&t->sum, &s);
	return true;
}

bool tally_event(struct tally *t, int process, const struct event *ev, const struct memory *mem)
{
	struct tally_thread *th = thread_of(t, process, ev->tid);
	uint64_t ns;

	if (!th)
		return false;
	if (!th->events++)
		th->first_ns = th->last_ns = ev->time_ns;
	if (!t->events++)
		t->first_ns = ev->time_ns;
	t->last_ns = ev->time_ns;
	if (ev->type < sizeof(t->kind) / sizeof(t->kind[0]))
		t->kind[ev->type]++;
	ns = ev->time_ns > th->last_ns ? ev->time_ns - th->last_ns : 0;
	th->last_ns = ev->time_ns;
	return ev->type != REC_SYSCALL || count_call(t, th, ns, ev, mem);
}

void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->ncalls; i++)
		free(t->call[i].name);
	free(t->call);
	free(t->thread);
	*t = (struct tally){ 0 };
}

static uint64_t measure(const struct tally_sums *s, enum tally_order order)
{
	switch (order) {
	case TALLY_TIME:
		return s->ns;
	case TALLY_CALLS:
		return s->calls;
	case TALLY_ERRORS:
		return s->errors;
	case TALLY_MOVED:
		return s->moved;
	case TALLY_OUTSIDE:
		return s->calls - s->served;
	case TALLY_NAME:
		break;
	}
	return 0;
}

static int compare_calls(const void *a, const void *b, void *arg)
{
	const struct tally_call *x = a, *y = b;
	uint64_t mx = measure(&x->sum, *(enum tally_order *)arg), my = measure(&y->sum, *(enum tally_order *)arg);

	if (mx != my)
		return mx > my ? -1 : 1;
	return strcmp(x->name, y->name);
}

void tally_sort_calls(struct tally *t, enum tally_order order)
{
	qsort_r(t->call, t->ncalls, sizeof(*t->call), compare_calls, &order);
	memset(t->slot, 0, sizeof(t->slot));
}

struct tally_thread tally_process(const struct tally *t, int process)
{
	struct tally_thread all = { .process = process };

	for (size_t i = 0; i < t->nthreads; i++) {
		const struct tally_thread *th = &t->thread[i];

		if (th->process != process)
			continue;
		if (!all.events || th->first_ns < all.first_ns)
			all.first_ns = th->first_ns;
		if (th->last_ns > all.last_ns)
			all.last_ns = th->last_ns;
		all.events += th->events;
		add(&all.sum, &th->sum);
	}
	return all;
}
