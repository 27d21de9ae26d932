/*
 * The bytes of one record, the same in the ring and in the stream's frames: encoding (ring.c) and decoding (stream.c).
 * doc/trace-format.md describes them for people who write another reader.
 *
 * Registers are differences to the previous event of the same thread. Both sides keep the last registers in the same
 * direct-mapped table, so what the encoder still knows the decoder knows too, however many threads there are. All
 * registers are stored when the table has lost the thread, and at least once in REGS_SPAN events of the process: who
 * starts decoding REGS_SPAN events early has every base.
 */
#ifndef SANDREC_RECORD_H
#define SANDREC_RECORD_H

#include <assert.h>

#include "trace/event.h"

#define REGS_SPAN 256u
#define REGS_SLOTS 256u

struct rec_head {
	uint32_t size; /* of the whole record, this header included; a multiple of 8 */
	uint8_t type, flags;
	uint16_t zero;
};

struct rec_event {
	struct rec_head head;
	int32_t tid;
	uint32_t ndata;
	uint32_t annex_len; /* above EVENT_DATA_MAX the annex follows in REC_ANNEX records */
	uint32_t reg_mask;  /* bit n: register n follows, in order of n */
	uint64_t index;
	uint64_t time_ns;
	int64_t result;
	/* uint64_t regs[popcount(reg_mask)]; annex bytes, zeros up to a multiple of 8 */
};

struct rec_data {
	struct rec_head head;
	uint32_t len, kind;
	uint64_t addr;
	/* bytes, zeros up to a multiple of 8 */
};

struct rec_annex {
	struct rec_head head;
	uint32_t len, offset;
	/* bytes, zeros up to a multiple of 8 */
};

static_assert(sizeof(struct rec_head) == 8, "on disk");
static_assert(sizeof(struct rec_event) == 48 && offsetof(struct rec_event, index) == 24, "on disk");
static_assert(sizeof(struct rec_data) == 24 && offsetof(struct rec_data, addr) == 16, "on disk");
static_assert(sizeof(struct rec_annex) == 16, "on disk");
static_assert(GUEST_NREGS == 20, "the order and number of registers are part of the format");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are written as they are in memory");

#define REC_ALL_REGS ((1u << GUEST_NREGS) - 1)
#define REC_EVENT_MAX (sizeof(struct rec_event) + GUEST_NREGS * 8 + EVENT_DATA_MAX)
#define REC_SIZE_MAX REC_EVENT_MAX

struct regs_cache {
	struct regs_slot {
		struct guest_regs regs;
		uint64_t full;  /* index of the last event that stored all registers */
		int32_t tid;
		bool valid;
	} slot[REGS_SLOTS];
};

static inline uint32_t rec_pad(uint32_t n) { return (n + 7) & ~7u; }

static inline uint32_t rec_annex_count(uint32_t annex_len)
{
	return annex_len <= EVENT_DATA_MAX ? 0 : (annex_len + EVENT_DATA_MAX - 1) / EVENT_DATA_MAX;
}

/* What will be encoded: which registers and how long the record is. Sets or clears REC_F_ALLREGS in ev->flags. */
struct rec_plan {
	uint32_t reg_mask, size;
};
struct rec_plan record_plan_event(struct regs_cache *c, struct event *ev);
/* Writes the planned record to p and remembers the registers. */
void record_put_event(struct regs_cache *c, const struct event *ev, struct rec_plan plan, void *p);
uint32_t record_data_size(uint32_t len);
void record_put_data(void *p, uint64_t addr, const void *bytes, uint32_t len, uint32_t kind);
uint32_t record_annex_size(uint32_t len);
void record_put_annex(void *p, const void *bytes, uint32_t len, uint32_t offset);

/*
 * The size of the record at p, of which avail bytes are there: 0 when it cannot be one (then nothing after it can be
 * read either). Reads the header once: p may be memory that another process writes.
 */
uint32_t record_size(const void *p, size_t avail, struct rec_head *head);

bool record_is_event(uint8_t type);

/*
 * Decodes a record that record_size() accepted. 0, -EBADMSG, or for events -ENODATA when the thread's previous
 * registers are not known (then everything but ev->regs is right). ev->annex points into the record, or is NULL when
 * it follows in pieces.
 */
int record_get_event(struct regs_cache *c, const void *p, struct event *ev);
int record_get_data(const void *p, struct event_data *d);
int record_get_annex(const void *p, uint32_t *offset, uint32_t *len, const void **bytes);

/* How many records follow an event's own; needed to know where events begin. -EBADMSG. */
int record_following(const void *p, uint64_t *n);

#endif
