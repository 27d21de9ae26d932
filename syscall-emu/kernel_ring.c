/*
 * Rings that the kernel fills and the guest empties: what has been published since the last time is moved, nothing is
 * compared. Positions and the rest of the head pages are plain memory, moved after it.
 *
 * Sources: Linux kernel/bpf/ringbuf.c, include/uapi/linux/perf_event.h (perf_event_mmap_page), perf_event_open(2).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "syscall-emu/kernel_window.h"
#include "vmm/layout.h"

#define PAGE PAGE_SIZE_4K

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Gives [from, from+n) of the window, as far as the piece has it. */
static void give(const struct window_piece *v, uint64_t from, uint64_t n)
{
	uint64_t end = least(from + n, v->at + v->len);

	if (from < v->at)
		from = v->at;
	if (from < end)
		window_give(v, from, v->w->real + from, end - from);
}

/* Gives [from, to) of the ring's positions; the data is at `start` of the window, `copies` times one after the other. */
static void give_positions(const struct window_piece *v, uint64_t from, uint64_t to, int64_t start, unsigned copies)
{
	uint64_t size = v->w->size;

	if (to - from > size)
		from = to - size;
	while (from < to) {
		uint64_t at = from & (size - 1), n = least(to - from, size - at);

		for (unsigned i = 0; i < copies; i++) {
			int64_t place = start + (int64_t)(i * size + at);

			if (place >= 0)
				give(v, (uint64_t)place, n);
		}
		from += n;
	}
}

/* ---- ring buffers of bpf ---- */

/*
 * Object: a page with the consumer's position, one with the producer's, the data, and the data once more, so that no record
 * is cut in two. A record begins with its length and two flags; it is the consumer's once it is not busy any more, and then
 * does not change until the consumer has passed it. Nobody looks behind a busy one, so we do not either.
 */
#define DATA_AT (2 * PAGE)
#define RECORD_HEAD BPF_RINGBUF_HDR_SZ
#define RECORD_FLAGS (BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)

int window_bpf_ring_open(struct kernel_window *w, int fd, uint64_t size)
{
	void *all;

	if (!size || size & (size - 1) || size < PAGE)
		return -ENODEV;
	all = mmap(NULL, DATA_AT + size, PROT_READ, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		return -errno;
	w->head = all;
	w->head_len = DATA_AT + size;
	w->size = size;
	w->kind = &window_bpf_ring;
	w->at = window_load(w->head); /* what is older is no one's any more */
	return 0;
}

/* The pages of the two positions, as far as they are in this window. */
static uint64_t bpf_ring_plain(const struct kernel_window *w)
{
	return w->offset >= DATA_AT ? 0 : least(w->len, DATA_AT - w->offset);
}

/* The end of the records that are the consumer's, from the last time on; the head of a busy one is included. */
static uint64_t published(const struct kernel_window *w, uint64_t *final)
{
	uint64_t producer = window_load(w->head + PAGE), pos = w->at;

	while (pos < producer) {
		uint32_t len = __atomic_load_n((const uint32_t *)(w->head + DATA_AT + (pos & (w->size - 1))), __ATOMIC_ACQUIRE);

		*final = pos;
		if (len & BPF_RINGBUF_BUSY_BIT)
			return pos + RECORD_HEAD;
		pos += (((uint64_t)(len & ~RECORD_FLAGS)) + RECORD_HEAD + 7) & ~7ULL;
	}
	*final = pos;
	return pos;
}

static void bpf_ring_pull(const struct window_piece *v)
{
	struct kernel_window *w = v->w;
	uint64_t final, end = published(w, &final);

	w->limit = final;
	w->shown = end;
	give_positions(v, w->at, end, (int64_t)DATA_AT - (int64_t)w->offset, 2);
}

static bool bpf_ring_news(const struct kernel_window *w)
{
	uint64_t final, end = published(w, &final);

	return final != w->at || end != w->shown;
}

/* A record reserved since: its head has not been moved. */
static uint64_t bpf_ring_shown(const struct kernel_window *w, uint64_t place, uint64_t word)
{
	return place == PAGE ? w->shown : word;
}

static void bpf_ring_pulled(struct kernel_window *w)
{
	w->at = w->limit;
}

const struct window_kind window_bpf_ring = {
	.name = "ring buffer", .plain = bpf_ring_plain, .pull = bpf_ring_pull, .news = bpf_ring_news,
	.pulled = bpf_ring_pulled, .shown = bpf_ring_shown
};

/* ---- perf events ---- */

/*
 * A page about the event, then the data: published by data_head. A consumer that cannot write data_tail lets the kernel
 * overwrite: then there is no telling what is new, and all of it is given when data_head has moved.
 */
#define HEAD_AT offsetof(struct perf_event_mmap_page, data_head)
#define CAPABILITIES_AT offsetof(struct perf_event_mmap_page, capabilities)
#define INDEX_WORD_AT offsetof(struct perf_event_mmap_page, lock)
#define CAP_USER_RDPMC 4u

int window_perf_ring_open(struct kernel_window *w)
{
	const struct perf_event_mmap_page *page = (const void *)w->real;

	w->kind = &window_plain;
	if (w->offset || w->len < 2 * PAGE)
		return 0; /* the page alone, or an AUX area */
	w->size = w->len - PAGE;
	if (page->data_size)
		w->size = page->data_size;
	if (w->size & (w->size - 1) || w->size > w->len - PAGE)
		return 0;
	w->kind = &window_perf_ring;
	w->head = w->real;
	w->at = w->limit = window_load(w->real + HEAD_AT);
	return 0;
}

static uint64_t perf_ring_plain(const struct kernel_window *w)
{
	(void)w;
	return PAGE;
}

static void perf_ring_pull(const struct window_piece *v)
{
	struct kernel_window *w = v->w;

	w->limit = window_load(w->real + HEAD_AT);
	if (w->limit == w->at)
		return;
	if (w->writable)
		give_positions(v, w->at, w->limit, PAGE, 1);
	else
		give(v, PAGE, w->size);
}

static bool perf_ring_news(const struct kernel_window *w)
{
	return window_load(w->real + HEAD_AT) != w->at;
}

static void perf_ring_pulled(struct kernel_window *w)
{
	w->at = w->limit;
}

/* The counter cannot be read by an instruction in the virtual machine; data_head is what was moved. */
static uint64_t perf_ring_shown(const struct kernel_window *w, uint64_t place, uint64_t word)
{
	switch (place) {
	case HEAD_AT:
		return w->limit;
	case CAPABILITIES_AT:
		return word & ~(uint64_t)CAP_USER_RDPMC;
	case INDEX_WORD_AT:
		return word & 0xffffffff; /* index, behind lock, 0: not on a counter */
	default:
		return word;
	}
}

const struct window_kind window_perf_ring = {
	.name = "perf ring", .plain = perf_ring_plain, .pull = perf_ring_pull, .news = perf_ring_news,
	.pulled = perf_ring_pulled, .shown = perf_ring_shown
};
