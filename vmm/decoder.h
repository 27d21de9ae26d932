/*
 * capstone's decoder for 64-bit code. Opening one is dear (20 us), so each thread keeps its own, one with details and one
 * without. Any thread.
 */
#ifndef SANDREC_DECODER_H
#define SANDREC_DECODER_H

#include <capstone/capstone.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The instruction at code, of which len bytes can be read: the decoder's, valid until the thread's next call. NULL: none. */
const cs_insn *decoder_insn(const uint8_t *code, size_t len, uint64_t addr, bool detail);

/* The handle behind it, for questions about that instruction. */
csh decoder_handle(bool detail);

#endif
