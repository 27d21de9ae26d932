/* The bytes a call reads. Contract: inputs.h. */
#include <string.h>

#include "record/inputs.h"

void inputs_take(struct inputs *in, const struct plan *p)
{
	in->n = in->used = 0;
	for (uint32_t i = 0; i < p->nregions && in->n < INPUT_PIECES; i++) {
		const struct plan_region *g = &p->region[i];
		uint64_t len = g->cap, most = g->copy && !(g->mem->flags & MEM_ARRAY) ? INPUT_OBJECT : INPUT_HEAD;

		if (!(g->mem->dir & MEM_IN) || !g->addr || !len)
			continue;
		if (g->mem->cap.op != LEN_CSTR && len > most)
			len = most;
		if (len > INPUT_BYTES - in->used)
			continue;
		if (g->copy)
			memcpy(in->bytes + in->used, g->copy, len);
		else if (guest_read(in->bytes + in->used, g->addr, len) < 0)
			continue; /* the call itself will find that out */
		in->piece[in->n].addr = g->addr;
		in->piece[in->n].len = (uint32_t)len;
		in->piece[in->n++].at = in->used;
		in->used += (uint32_t)len;
	}
}
