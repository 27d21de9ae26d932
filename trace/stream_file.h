/*
 * The layout of a stream file: a header, then frames (each a header and a zstd frame). Little-endian, like the records.
 */
#ifndef SANDREC_STREAM_FILE_H
#define SANDREC_STREAM_FILE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "trace/record.h"
#include "trace/stream.h"

#define STREAM_MAGIC "SRECEVTS"
#define FRAME_MAGIC 0x4d465253u /* "SRFM" */
#define FRAME_DIFF 1u          /* frame_diff() was done before compressing */
#define FRAME_FLAGS FRAME_DIFF
#define FRAME_RAW_MAX (STREAM_FRAME_SIZE + REC_SIZE_MAX)
#define FRAME_COMP_MAX ZSTD_COMPRESSBOUND(FRAME_RAW_MAX)

/* These 32 bytes mean the same in every format: a newer one is recognised by them. */
struct stream_head {
	char magic[8];
	uint32_t format, header; /* header: bytes before the first frame */
	uint64_t reserved;
	uint64_t sum;            /* XXH3 of the bytes before it */
};

struct frame_head {
	uint32_t magic, reserved;
	uint32_t raw_len, comp_len;
	uint32_t nevents;     /* events that begin in this frame */
	uint32_t flags;       /* FRAME_DIFF */
	uint64_t first_event; /* number of the first of them, or of the next one when there is none */
	uint64_t raw_pos;     /* bytes of records before this frame: the position in the ring */
	uint64_t open;        /* records that the last event still lacks at the end of this frame */
	uint64_t payload_sum; /* XXH3 of the comp_len bytes that follow */
	uint64_t head_sum;    /* XXH3 of the bytes before it */
};

static_assert(sizeof(struct stream_head) == 32 && sizeof(struct frame_head) == 64, "on disk");

static inline uint64_t stream_head_sum(const struct stream_head *h)
{
	return XXH3_64bits(h, offsetof(struct stream_head, sum));
}

static inline uint64_t frame_head_sum(const struct frame_head *h)
{
	return XXH3_64bits(h, offsetof(struct frame_head, head_sum));
}

#endif
