/*
 * Calls whose outcome is known before they are made: a ring in pages that the guest can read, which the server fills with the
 * system calls that a recording has next. guestlib's code (guestlib/switchless.S) takes one instead of making a request, if all
 * registers and the bytes that the call reads are as recorded: it copies what the call wrote, and the program goes on with the
 * result, without anybody else having been asked. Where something differs, or the ring is empty, it makes a request as ever.
 *
 * What was taken is asked for afterwards (switchless_ring_taken()); whoever keeps count of events does it then. A stop is
 * either in front of such a call, which is still in the ring, or behind it (VCPU_SERVED).
 *
 * The pages are the guest's to write. Nothing read from them is used but the number of calls taken, which is never believed to be
 * larger than that of the calls put: a program that scribbles on them changes its own registers, its own memory and how many
 * of the calls in the ring count as made.
 *
 * By whoever is at work: the server while it has the gate (switchless.h), or the vCPU's thread outside vcpu_run().
 */
#ifndef SANDREC_SWITCHLESS_RING_H
#define SANDREC_SWITCHLESS_RING_H

#include "vmm/switchless.h"

#define SWITCHLESS_PIECES 4
#define SWITCHLESS_BYTES 256 /* of all pieces of a call, each filled up to a multiple of 8 */

struct switchless_piece {
	uint64_t addr;      /* the guest's own memory; where it cannot be accessed the call becomes a request */
	const void *bytes;
	uint32_t len;       /* not 0 */
	bool out;           /* written by the call; else read */
};

struct switchless_call {
	const struct guest_regs *regs; /* at the call: rip is rcx, rflags r11 */
	int64_t result;
	unsigned n;
	struct switchless_piece piece[SWITCHLESS_PIECES]; /* in the order in which they are compared and written */
};

/* Makes the ring, empty, if there is none. 0 or a negative errno: calls are as without it. After switchless_install(). */
int switchless_ring_make(struct vcpu *v);

/* How many calls there is room for (without the gate: about), and how many are in it or taken but not asked for. 0: no ring. */
unsigned switchless_ring_room(const struct switchless *s);
unsigned switchless_ring_left(const struct switchless *s);

/*
 * The call behind all that are in it. now: the registers as far as they are known; bases that the guest cannot compare must
 * be the same there. False: no room, it is too large, or no call of this guest.
 */
bool switchless_ring_put(struct switchless *s, const struct guest_regs *now, const struct switchless_call *c);

/* How many calls have been taken since this was asked last. */
unsigned switchless_ring_taken(struct switchless *s);

/* It is empty. Only while the guest is outside or waits for the answer to a request. */
void switchless_ring_clear(struct switchless *s);

#endif
