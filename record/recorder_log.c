/* What the recording session writes to its ring. Contract: recorder_int.h. */
#include "record/inputs.h"
#include "record/recorder_int.h"
#include "record/world.h"
#include "vmm/layout.h"

/* Recording may end before the program does (disk full): that is remembered here, and the program never notices. */
static void logged(struct recorder *r, int rc)
{
	if (rc < 0)
		r->cut = true;
}

void recorder_log(struct recorder *r, struct event *ev)
{
	if (!r->cut)
		logged(r, ring_event(r->link.ring, ev));
}

void recorder_log_bytes(struct recorder *r, uint64_t addr, const void *bytes, uint64_t len, uint32_t kind)
{
	const char *b = bytes;

	while (len && !r->cut) {
		uint32_t n = len < EVENT_DATA_MAX ? (uint32_t)len : EVENT_DATA_MAX;

		logged(r, ring_data(r->link.ring, addr, b, n, kind));
		addr += n;
		b += n;
		len -= n;
	}
}

struct piece_count {
	uint64_t n;
	uint8_t flags; /* the call put bytes of its own into the program's output */
};

static int count_piece(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	struct piece_count *c = arg;

	(void)addr, (void)bytes;
	c->n += ring_data_count(len);
	c->flags |= kind == DATA_STDOUT ? REC_F_STDOUT : kind == DATA_STDERR ? REC_F_STDERR : 0;
	return 0;
}

static int log_piece(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	recorder_log_bytes(arg, addr, bytes ? bytes : (const void *)(uintptr_t)addr, len, kind);
	return 0;
}

void recorder_log_inputs(struct recorder *r, const struct inputs *in)
{
	for (unsigned i = 0; i < in->n; i++)
		recorder_log_bytes(r, in->piece[i].addr, in->bytes + in->piece[i].at, in->piece[i].len, DATA_INPUT);
}

unsigned recorder_early(const struct plan *p, bool over)
{
	return p->early && !over;
}

void recorder_log_early(struct recorder *r, const struct plan *p, bool over)
{
	if (recorder_early(p, over))
		recorder_log_bytes(r, p->early, (const void *)(uintptr_t)p->early, sizeof(uint32_t), DATA_MEMORY);
}

/* What became of the call's own site: the first data of its event. */
static void log_site(struct recorder *r, struct task *t)
{
	if (t->site.news)
		recorder_log_bytes(r, t->site.addr, &t->site.d, sizeof(t->site.d), DATA_SITE);
	t->site.news = false;
}

static uint8_t site_flag(const struct task *t)
{
	return t->site.news || (t->served && t->jumped) ? REC_F_SITE : 0;
}

void recorder_log_syscall(struct recorder *r, struct task *t, const struct guest_regs *entry, int64_t ret)
{
	struct inputs *in = &recorded_of(t)->in;
	struct plan *p = &t->plan;
	bool happened = ret != SYS_ERESTARTSYS;
	uint32_t number;
	struct event ev = {
		.type = REC_SYSCALL,
		.flags = happened ? p->ev_flags : REC_F_RESTART,
		.tid = t->tid,
		.regs = *entry,
		.result = ret,
		.annex = happened ? p->annex : NULL,
		.annex_len = happened ? p->annex_len : 0,
	};
	struct piece_count count = { in->n + recorder_early(p, happened) + t->site.news, 0 };

	if (happened)
		plan_written(p, count_piece, &count);
	ev.flags |= count.flags | (t->served ? REC_F_SERVED : 0) | site_flag(t);
	if (ev.flags & (REC_F_STDOUT | REC_F_STDERR)) {
		number = tree_number(r->link.tree);
		ev.annex = &number; /* rows that write have no annex of their own */
		ev.annex_len = sizeof(number);
	}
	ev.ndata = (uint32_t)count.n;
	recorder_log(r, &ev);
	log_site(r, t);
	recorder_log_inputs(r, in);
	recorder_log_early(r, p, happened);
	if (happened)
		plan_written(p, log_piece, r);
}

void recorder_readable(uint64_t addr, uint64_t len, void (*piece)(void *arg, uint64_t addr, uint64_t len, const void *bytes),
		       void *arg)
{
	unsigned char page[PAGE_SIZE_4K];

	while (len && guest_range_ok(addr, len)) {
		uint64_t n = PAGE_SIZE_4K - addr % PAGE_SIZE_4K;

		n = n < len ? n : len;
		if (guest_read(page, addr, n) == 0)
			piece(arg, addr, n, page);
		addr += n;
		len -= n;
	}
}

static void add_page(void *arg, uint64_t addr, uint64_t len, const void *bytes)
{
	plan_add(arg, addr, len, DATA_MEMORY, bytes);
}

static void add_poked(void *arg, uint64_t addr, uint64_t len)
{
	recorder_readable(addr, len, add_page, arg);
}

void recorder_log_poked(struct recorder *r, struct task *t)
{
	struct plan *p = &t->plan;

	if (poke_news(&r->link.tree->pokes, &r->poked))
		poke_take(&r->link.tree->pokes, add_poked, p);
	if (t->proc->grouped)
		robust_died(&r->link.tree->robusts, t, add_poked, p);
}

void recorder_log_answer(struct recorder *r, struct task *t, const struct guest_regs *entry, const struct world_answer *a)
{
	struct inputs *in = &recorded_of(t)->in;
	struct event ev = { .type = REC_SYSCALL, .tid = t->tid, .regs = *entry, .result = a->result, .ndata = in->n + t->site.news };
	uint32_t number;

	for (size_t i = 0; i < a->n; i++)
		ev.ndata += (uint32_t)ring_data_count(a->piece[i].len);
	if (a->output) {
		number = tree_number(r->link.tree);
		ev.flags = a->output;
		ev.annex = &number;
		ev.annex_len = sizeof(number);
		ev.ndata += (uint32_t)ring_data_count(a->ncarried);
	}
	ev.flags |= site_flag(t);
	recorder_log(r, &ev);
	log_site(r, t);
	recorder_log_inputs(r, in);
	for (size_t i = 0; i < a->n; i++)
		recorder_log_bytes(r, a->piece[i].addr, a->piece[i].bytes, a->piece[i].len, DATA_MEMORY);
	recorder_log_bytes(r, 0, a->carried, a->ncarried, a->output == REC_F_STDERR ? DATA_STDERR : DATA_STDOUT);
}
