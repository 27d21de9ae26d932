/*
 * Finding instructions in machine code: those whose results a recording must control and that some hosts let user code
 * execute untrapped. Bytes in, places out: the same on record and replay.
 *
 * The byte pattern alone means nothing (it may be a constant, or the tail of a longer instruction). A place is proven by
 * following the code, branches included, from the start of the function it is in; or, where no function start is known,
 * by three things together: nearly all ways of decoding the bytes before it arrive there, none of these holds anything
 * compilers do not produce, and the code around uses the instruction as it must be used. What is not proven is counted.
 */
#ifndef SANDREC_TEXT_SCAN_H
#define SANDREC_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum text_kind { TEXT_CPUID, TEXT_RDRAND, TEXT_RDSEED, TEXT_RDPID, TEXT_XBEGIN, TEXT_KINDS };
#define TEXT_BIT(kind) (1u << (kind))
#define TEXT_ALL (TEXT_BIT(TEXT_KINDS) - 1)
#define TEXT_LEN_MAX 15

extern const char *const text_kind_name[TEXT_KINDS];

/* A suspected place and the function it is in, all as offsets into the code. */
struct text_place {
	uint64_t off;
	uint64_t start, next; /* last function start <= off (TEXT_UNKNOWN: none), first one > off (or the code's end) */
};
#define TEXT_UNKNOWN UINT64_MAX

struct text_input {
	const uint8_t *code;
	size_t len;
	size_t from;          /* only places from here on are wanted; what lies before is context */
	unsigned kinds;       /* TEXT_BIT()s */
	/* Fills start and next of n places, ascending by off, that come with "unknown". NULL: nothing is known. */
	void (*functions)(void *arg, struct text_place *place, size_t n);
	void *arg;
};

struct text_hit {
	uint64_t off;         /* of the first byte, prefixes included */
	uint8_t len, kind;
	uint16_t starts;      /* bit k: an instruction is known to start k bytes before (k < TEXT_LEN_MAX) */
};

struct text_found {
	struct text_hit *hit; /* ascending; free() it */
	size_t n;
	size_t len;           /* of the code */
	size_t unproven;      /* places that may be instructions for all that is known */
};

/* Is there any place to look at closer? At memory speed. A pattern may be TEXT_PATTERN_MAX bytes long. */
bool text_suspects(const uint8_t *code, size_t len, unsigned kinds);
#define TEXT_PATTERN_MAX 6

/*
 * Follows the function code[0..len) from its start: is off an instruction in it? Then bit k says that another one starts
 * k bytes before (k < TEXT_LEN_MAX); 0: no, or none is known.
 */
uint16_t text_starts(const uint8_t *code, size_t len, uint64_t off);

/* 0 or -ENOMEM. The work is bounded by the length, whatever the bytes are. */
int text_scan(const struct text_input *in, struct text_found *out);

#endif
