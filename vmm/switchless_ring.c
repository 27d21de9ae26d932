/* The ring of calls whose outcome is known. Contract: switchless_ring.h; layout: guestlib/abi.h. */
#include <errno.h>
#include <string.h>

#include "guestlib/abi.h"
#include "vmm/switchless_int.h"
#include "vmm/switchless_ring.h"

#define PAGES (ABI_SW_SLOTS * ABI_SW_SLOT / PAGE_SIZE_4K)
#define SLOTS_IN_PAGE (PAGE_SIZE_4K / ABI_SW_SLOT)

_Static_assert(PAGES == SWITCHLESS_RING_PAGES, "struct switchless has them");
_Static_assert(ABI_SW_DATA + ABI_SW_SLOTS_AT + PAGES * PAGE_SIZE_4K == SWITCHLESS_SIZE, "in the layout");
_Static_assert(ABI_SW_CALL_FIRST + SWITCHLESS_PIECES * ABI_SW_PIECE_BYTES + SWITCHLESS_BYTES <= ABI_SW_SLOT, "a call fits");
_Static_assert(ABI_SW_TAIL == ABI_SW_STATE + 4 && ABI_SW_STATE % 8 == 0, "one store for both");

static uint32_t *word(const struct switchless *s, unsigned offset)
{
	return (uint32_t *)(s->data + offset);
}

int switchless_ring_make(struct vcpu *v)
{
	struct switchless *s = &v->vm->switchless;
	uint64_t at = SWITCHLESS_BASE + ABI_SW_DATA + ABI_SW_SLOTS_AT;

	if (s->ring.made)
		return 0;
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t gpa;
		int rc;

		if (!s->ring.page[i]) {
			s->ring.page[i] = vm_own_page(v->vm, &gpa);
			if (!s->ring.page[i])
				return -ENOMEM;
			rc = pt_lend_own(v->vm, at + i * PAGE_SIZE_4K, gpa, true);
			if (rc < 0)
				return rc;
		}
	}
	s->ring.made = true;
	return 0;
}

/* What the guest says it has taken and nobody has been told of; more than there is is not true. */
static uint32_t news(const struct switchless *s)
{
	uint32_t n = __atomic_load_n(word(s, ABI_SW_TAIL), __ATOMIC_ACQUIRE) - s->ring.tail;

	return n <= s->ring.head - s->ring.tail ? n : 0;
}

unsigned switchless_ring_left(const struct switchless *s)
{
	return s->ring.head - s->ring.tail;
}

unsigned switchless_ring_room(const struct switchless *s)
{
	return s->ring.made ? ABI_SW_SLOTS - (s->ring.head - s->ring.tail - news(s)) : 0;
}

unsigned switchless_ring_taken(struct switchless *s)
{
	uint32_t n = s->ring.made ? news(s) : 0;

	s->ring.tail += n;
	return n;
}

void switchless_ring_clear(struct switchless *s)
{
	if (!s->ring.made)
		return;
	s->ring.tail = s->ring.head;
	__atomic_store_n(word(s, ABI_SW_TAIL), s->ring.head, __ATOMIC_RELAXED);
}

static bool fits(const struct switchless_call *c)
{
	uint32_t bytes = 0;

	if (c->n > SWITCHLESS_PIECES)
		return false;
	for (unsigned i = 0; i < c->n; i++) {
		if (!c->piece[i].len || c->piece[i].len > SWITCHLESS_BYTES || !guest_range_ok(c->piece[i].addr, c->piece[i].len))
			return false;
		bytes += (c->piece[i].len + 7) & ~7u;
	}
	return bytes <= SWITCHLESS_BYTES;
}

static void put64(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, sizeof(v));
}

static void put_piece(uint8_t *at, const struct switchless_piece *p)
{
	const uint32_t out = p->out;

	put64(at + ABI_SW_PIECE_ADDR, p->addr);
	memcpy(at + ABI_SW_PIECE_LEN, &p->len, sizeof(p->len));
	memcpy(at + ABI_SW_PIECE_OUT, &out, sizeof(out));
	memcpy(at + ABI_SW_PIECE_BYTES, p->bytes, p->len);
}

bool switchless_ring_put(struct switchless *s, const struct guest_regs *now, const struct switchless_call *c)
{
	const struct guest_regs *r = c->regs;
	uint32_t slot = s->ring.head % ABI_SW_SLOTS;
	uint8_t *at;

	if (!switchless_ring_room(s) || !fits(c) || r->rip != r->rcx || r->rflags != r->r11)
		return false;
	if (!s->bases && (r->fs_base != now->fs_base || r->gs_base != now->gs_base))
		return false;
	at = s->ring.page[slot / SLOTS_IN_PAGE] + slot % SLOTS_IN_PAGE * ABI_SW_SLOT;
	memcpy(at, r, 16 * 8);
	put64(at + ABI_SW_CALL_FS, r->fs_base);
	put64(at + ABI_SW_CALL_GS, r->gs_base);
	put64(at + ABI_SW_CALL_RESULT, (uint64_t)c->result);
	put64(at + ABI_SW_CALL_PIECES, c->n);
	at += ABI_SW_CALL_FIRST;
	for (unsigned i = 0; i < c->n; i++) {
		put_piece(at, &c->piece[i]);
		at += ABI_SW_PIECE_BYTES + ((c->piece[i].len + 7) & ~7u);
	}
	s->ring.head++;
	__atomic_store_n(word(s, ABI_SW_HEAD), s->ring.head, __ATOMIC_RELEASE);
	return true;
}
