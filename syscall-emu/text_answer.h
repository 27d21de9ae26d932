/*
 * A cpuid whose leaf the code sets right before it shows constants. They are put into a stub behind the text, and the
 * instruction that sets the leaf becomes a jump there: no exit. The cpuid itself stays replaced (text_patch.h), for who
 * comes to it another way. Pure functions.
 */
#ifndef SANDREC_TEXT_ANSWER_H
#define SANDREC_TEXT_ANSWER_H

#include "vmm/cpuid.h"

#define TEXT_ANSWER_MAX 32

struct text_answer {
	uint64_t off;                    /* of the 5 bytes that become a jump, into the code */
	uint8_t jump[5];
	uint8_t stub[TEXT_ANSWER_MAX];
	uint8_t len;                     /* of the stub */
};

/*
 * For a hit in code[0..], with its stub at offset `at`. False: the code around has none of the known shapes, or what the
 * leaf shows is not constant.
 */
bool text_answer_make(const struct cpu_table *t, const uint8_t *code, const struct text_hit *h, uint64_t at,
		      struct text_answer *out);

#endif
