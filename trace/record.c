#include <errno.h>
#include <string.h>

#include "trace/record.h"

static struct regs_slot *slot_of(struct regs_cache *c, int32_t tid)
{
	return &c->slot[(uint32_t)tid % REGS_SLOTS];
}

static void put_padding(char *p, uint32_t len)
{
	memset(p + len, 0, rec_pad(len) - len);
}

static uint32_t inline_annex(uint32_t annex_len)
{
	return annex_len <= EVENT_DATA_MAX ? annex_len : 0;
}

struct rec_plan record_plan_event(struct regs_cache *c, struct event *ev)
{
	struct regs_slot *s = slot_of(c, ev->tid);
	struct rec_plan plan = { 0 };

	ev->flags &= (uint8_t)~REC_F_ALLREGS;
	if (!s->valid || s->tid != ev->tid || ev->index - s->full >= REGS_SPAN) {
		ev->flags |= REC_F_ALLREGS;
		plan.reg_mask = REC_ALL_REGS;
	} else {
		for (unsigned i = 0; i < GUEST_NREGS; i++)
			plan.reg_mask |= (uint32_t)(ev->regs.r[i] != s->regs.r[i]) << i;
	}
	plan.size = (uint32_t)sizeof(struct rec_event) + 8 * (uint32_t)__builtin_popcount(plan.reg_mask) +
		    rec_pad(inline_annex(ev->annex_len));
	return plan;
}

void record_put_event(struct regs_cache *c, const struct event *ev, struct rec_plan plan, void *p)
{
	struct regs_slot *s = slot_of(c, ev->tid);
	struct rec_event *e = p;
	uint64_t *regs = (uint64_t *)(e + 1);
	uint32_t annex = inline_annex(ev->annex_len);

	*e = (struct rec_event){
		.head = { .size = plan.size, .type = ev->type, .flags = ev->flags },
		.tid = ev->tid, .ndata = ev->ndata, .annex_len = ev->annex_len, .reg_mask = plan.reg_mask,
		.index = ev->index, .time_ns = ev->time_ns, .result = ev->result,
	};
	for (uint32_t m = plan.reg_mask; m; m &= m - 1)
		*regs++ = ev->regs.r[__builtin_ctz(m)];
	if (annex) {
		memcpy(regs, ev->annex, annex);
		put_padding((char *)regs, annex);
	}
	s->regs = ev->regs;
	if (ev->flags & REC_F_ALLREGS) {
		s->full = ev->index;
		s->tid = ev->tid;
		s->valid = true;
	}
}

uint32_t record_data_size(uint32_t len)
{
	return (uint32_t)sizeof(struct rec_data) + rec_pad(len);
}

void record_put_data(void *p, uint64_t addr, const void *bytes, uint32_t len, uint32_t kind)
{
	struct rec_data *d = p;

	*d = (struct rec_data){ .head = { .size = record_data_size(len), .type = REC_DATA },
				.len = len, .kind = kind, .addr = addr };
	if (len)
		memcpy(d + 1, bytes, len);
	put_padding((char *)(d + 1), len);
}

uint32_t record_annex_size(uint32_t len)
{
	return (uint32_t)sizeof(struct rec_annex) + rec_pad(len);
}

void record_put_annex(void *p, const void *bytes, uint32_t len, uint32_t offset)
{
	struct rec_annex *a = p;

	*a = (struct rec_annex){ .head = { .size = record_annex_size(len), .type = REC_ANNEX },
				 .len = len, .offset = offset };
	memcpy(a + 1, bytes, len);
	put_padding((char *)(a + 1), len);
}

bool record_is_event(uint8_t type)
{
	return type != REC_DATA && type != REC_ANNEX;
}

static uint32_t least_size(uint8_t type)
{
	return type == REC_DATA ? sizeof(struct rec_data) :
	       type == REC_ANNEX ? sizeof(struct rec_annex) : sizeof(struct rec_event);
}

uint32_t record_size(const void *p, size_t avail, struct rec_head *head)
{
	if (avail < sizeof(*head))
		return 0;
	memcpy(head, p, sizeof(*head));
	if (head->size % 8 || head->size > REC_SIZE_MAX || head->size > avail || head->zero)
		return 0;
	if (head->type < REC_EXEC || head->type > REC_LAST || head->size < least_size(head->type))
		return 0;
	return head->size;
}

int record_following(const void *p, uint64_t *n)
{
	const struct rec_event *e = p;

	if (e->annex_len > EVENT_ANNEX_MAX)
		return -EBADMSG;
	*n = (uint64_t)e->ndata + rec_annex_count(e->annex_len);
	return 0;
}

static void apply_differences(struct regs_cache *c, const struct rec_event *e, struct event *ev, const uint64_t *regs)
{
	struct regs_slot *s = slot_of(c, e->tid);

	ev->regs = s->regs;
	for (uint32_t m = e->reg_mask; m; m &= m - 1)
		ev->regs.r[__builtin_ctz(m)] = *regs++;
	s->regs = ev->regs;
	s->tid = e->tid;
	s->valid = true;
}

int record_get_event(struct regs_cache *c, const void *p, struct event *ev)
{
	const struct rec_event *e = p;
	const struct regs_slot *s = slot_of(c, e->tid);
	const uint64_t *regs = (const uint64_t *)(e + 1);
	unsigned nregs = (unsigned)__builtin_popcount(e->reg_mask);
	bool all = e->head.flags & REC_F_ALLREGS;

	if (!record_is_event(e->head.type) || e->reg_mask & ~REC_ALL_REGS || (all && e->reg_mask != REC_ALL_REGS) ||
	    e->annex_len > EVENT_ANNEX_MAX ||
	    e->head.size != sizeof(*e) + 8 * nregs + rec_pad(inline_annex(e->annex_len)))
		return -EBADMSG;
	*ev = (struct event){
		.type = e->head.type, .flags = e->head.flags & (uint8_t)~REC_F_ALLREGS, .tid = e->tid,
		.index = e->index, .time_ns = e->time_ns, .result = e->result, .ndata = e->ndata, .annex_len = e->annex_len,
		.annex = inline_annex(e->annex_len) ? regs + nregs : NULL,
	};
	if (!all && (!s->valid || s->tid != e->tid)) {
		/* The encoder's table held this thread here: whatever ours holds is of before we began. */
		slot_of(c, e->tid)->valid = false;
		return -ENODATA;
	}
	apply_differences(c, e, ev, regs);
	return 0;
}

int record_get_data(const void *p, struct event_data *d)
{
	const struct rec_data *r = p;

	if (r->head.type != REC_DATA || r->len > EVENT_DATA_MAX || r->head.size != record_data_size(r->len))
		return -EBADMSG;
	*d = (struct event_data){ .addr = r->addr, .len = r->len, .kind = r->kind, .bytes = r + 1 };
	return 0;
}

int record_get_annex(const void *p, uint32_t *offset, uint32_t *len, const void **bytes)
{
	const struct rec_annex *r = p;

	if (r->head.type != REC_ANNEX || r->len > EVENT_DATA_MAX || r->head.size != record_annex_size(r->len))
		return -EBADMSG;
	*offset = r->offset;
	*len = r->len;
	*bytes = r + 1;
	return 0;
}
