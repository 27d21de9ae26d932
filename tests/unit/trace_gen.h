/*
 * A reproducible sequence of events, made the same way by whoever writes a trace and whoever checks it.
 */
#ifndef SANDREC_TRACE_GEN_H
#define SANDREC_TRACE_GEN_H

#include <stdlib.h>
#include <string.h>

#include "trace/record.h"
#include "trace/ring.h"
#include "trace/stream.h"

#define GEN_THREADS 5
#define GEN_DATA_MAX 6
#define GEN_SIZE (1u << 20) /* where data and annexes are taken from */

struct gen {
	uint64_t state;
	bool large; /* now and then, pieces of EVENT_DATA_MAX and annexes of several pieces */
	struct guest_regs regs[GEN_THREADS];
	struct event ev;
	struct event_data data[GEN_DATA_MAX];
	unsigned char *bytes;
};

static inline uint64_t gen_random(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline void gen_start(struct gen *g, uint64_t seed, bool large)
{
	*g = (struct gen){ .state = seed, .large = large, .bytes = malloc(GEN_SIZE) };
	if (!g->bytes)
		abort();
	for (size_t i = 0; i < GEN_SIZE; i += 8) {
		uint64_t v = gen_random(g) & 0x0f0f0f0f0f0f0f0fu;

		memcpy(g->bytes + i, &v, 8);
	}
}

static inline void gen_stop(struct gen *g)
{
	free(g->bytes);
}

static inline void gen_piece(struct gen *g, struct event_data *d)
{
	uint64_t r = gen_random(g);

	d->len = g->large && r % 16 == 0 ? EVENT_DATA_MAX : (uint32_t)(r >> 8) % 300;
	d->addr = gen_random(g);
	d->kind = (uint32_t)(r >> 40) % 4;
	d->bytes = g->bytes + (r >> 20) % (GEN_SIZE - EVENT_DATA_MAX);
}

/* The next event, in g->ev and g->data. index and time_ns are the ring's. */
static inline void gen_next(struct gen *g)
{
	uint64_t r = gen_random(g);
	unsigned t = r % 8 ? 0 : (unsigned)(r >> 8) % GEN_THREADS;
	struct guest_regs *regs = &g->regs[t];

	for (int n = (int)(r >> 16) % 6; n >= 0; n--)
		regs->r[gen_random(g) % GUEST_NREGS] = gen_random(g) >> gen_random(g) % 64;
	/* Threads 3 and 4 fall on one slot of the register table. */
	static const int32_t tids[GEN_THREADS] = { 1000, 1001, 1002, 77, 77 + REGS_SLOTS };

	g->ev = (struct event){ .type = (uint8_t)(REC_EXEC + (r >> 24) % 5), .tid = tids[t], .regs = *regs,
				.flags = (uint8_t)(r >> 30) & 0x0f, .result = (int64_t)gen_random(g) };
	r = gen_random(g);
	g->ev.ndata = r % 4 == 0 ? (uint32_t)(r >> 8) % (GEN_DATA_MAX + 1) : 0;
	if (r % 7 == 0)
		g->ev.annex_len = (uint32_t)(r >> 16) % 200;
	if (g->large && r % 97 == 0)
		g->ev.annex_len = EVENT_DATA_MAX - 3 + (uint32_t)(r >> 16) % (4 * EVENT_DATA_MAX);
	if (g->ev.annex_len)
		g->ev.annex = g->bytes + (r >> 40) % (GEN_SIZE - 5 * EVENT_DATA_MAX);
	for (uint32_t i = 0; i < g->ev.ndata; i++)
		gen_piece(g, &g->data[i]);
}

/* Appends what gen_next() made. */
static inline int gen_put(struct gen *g, struct ring *r)
{
	int ret = ring_event(r, &g->ev);

	for (uint32_t i = 0; !ret && i < g->ev.ndata; i++)
		ret = ring_data(r, g->data[i].addr, g->data[i].bytes, g->data[i].len, g->data[i].kind);
	return ret;
}

/* Is the event just read (and its data, which is read here if data is set) the one gen_next() made? */
static inline bool gen_same(const struct gen *g, struct stream_reader *s, const struct event *ev, uint64_t index, bool data)
{
	struct event_data d;

	if (ev->type != g->ev.type || (ev->flags & ~REC_F_ALLREGS) != g->ev.flags || ev->tid != g->ev.tid ||
	    ev->index != index || ev->result != g->ev.result || ev->ndata != g->ev.ndata ||
	    ev->annex_len != g->ev.annex_len || memcmp(&ev->regs, &g->ev.regs, sizeof(ev->regs)) ||
	    (ev->annex_len && memcmp(ev->annex, g->ev.annex, ev->annex_len)))
		return false;
	for (uint32_t i = 0; data && i < ev->ndata; i++) {
		if (stream_data(s, &d) != 1 || d.addr != g->data[i].addr || d.len != g->data[i].len ||
		    d.kind != g->data[i].kind || memcmp(d.bytes, g->data[i].bytes, d.len))
			return false;
	}
	return !data || stream_data(s, &d) == 0;
}

#endif
