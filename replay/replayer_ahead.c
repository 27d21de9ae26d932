/* Calls that the guest takes from the ring by itself, as far as the session goes. Contract: replayer_int.h, session.h. */
#include <string.h>
#include <sys/mman.h>

#include "replay/ahead.h"
#include "replay/progress.h"
#include "replay/replayer_int.h"
#include "syscall-emu/mm.h"
#include "vmm/layout.h"
#include "vmm/switchless_ring.h"

_Static_assert(AHEAD_PIECES <= SWITCHLESS_PIECES && AHEAD_BYTES <= SWITCHLESS_BYTES, "what is small fits in the ring");

/* Nothing is done again for it, which would change what the replayer knows of the process. */
static bool injected(const struct guest_regs *r)
{
	const struct sys_desc *d = sys_lookup(r->rax, (const uint64_t[6]){ r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 });

	return !d || d->replay == INJECT;
}

/* A call of the thread that does nothing but return, and write memory: not to the program's output, not in another way. */
static bool plain(void *arg, const struct event *ev)
{
	const struct task *t = arg;

	return ev->type == REC_SYSCALL && !(ev->flags & ~(REC_F_SERVED | REC_F_SITE)) && ev->tid == t->tid &&
	       ev->result != SYS_ERESTARTSYS && ev->result != SYS_REGS_SET && injected(&ev->regs);
}

/*
 * The program itself could write there, in memory that is its own alone and no code: so it makes no difference that guestlib's code
 * does. Until the next call that is not plain nothing of it changes.
 */
static bool writable(const struct task *t, const struct event_data *d)
{
	const struct vma *v = guest_range_ok(d->addr, d->len) ? mm_find(t->proc->mm, d->addr) : NULL;

	return v && d->len <= v->end - d->addr && (v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) == (PROT_READ | PROT_WRITE) &&
	       (v->flags & MAP_TYPE) == MAP_PRIVATE;
}

/* What is behind the call can wait until the program comes to it (replayer_serves()). */
static bool waits(const struct task *t, const struct event *ev)
{
	return (ev->type == REC_SYSCALL || ev->type == REC_FAULT || ev->type == REC_TSC) && ev->tid == t->tid;
}

bool replayer_ahead(struct session *s, struct task *t, unsigned skip, struct switchless_call *c)
{
	struct replayer *r = replayer_of(s);
	const struct event *after;
	const struct ahead_call *a = ahead_call(r->ahead, skip, plain, t, &after);

	if (!a || a->ev.tid != t->tid || !waits(t, after))
		return false;
	c->regs = &a->ev.regs;
	c->result = a->ev.result;
	c->n = a->n;
	for (unsigned i = 0; i < a->n; i++) {
		const struct event_data *d = &a->piece[i];

		if (d->kind != DATA_INPUT && (d->kind != DATA_MEMORY || !writable(t, d)))
			return false;
		c->piece[i] = (struct switchless_piece){ d->addr, d->bytes, d->len, d->kind == DATA_MEMORY };
	}
	return true;
}

uint64_t replayer_happened(struct session *s)
{
	return replayer_of(s)->done;
}

void replayer_taken(struct session *s, unsigned n)
{
	struct replayer *r = replayer_of(s);

	r->peeked = false;
	r->done += n;
	for (unsigned i = 0; i < n; i++)
		ahead_happened(r->ahead);
	progress_events(n);
}
