/* Memory of one event. Contract: memory.h. */
#include <stdlib.h>
#include <string.h>

#include "cli/memory.h"

bool memory_add(struct memory *m, const struct event_data *d)
{
	struct memory_piece *p;
	size_t keep = MEMORY_BYTES_MAX - m->bytes;

	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		void *v = reallocarray(m->piece, room, sizeof(*m->piece));

		if (!v)
			return false;
		m->piece = v;
		m->room = room;
	}
	if (keep > d->len)
		keep = d->len;
	p = &m->piece[m->n];
	*p = (struct memory_piece){ d->addr, d->len, (uint32_t)keep, d->kind, malloc(keep ? keep : 1) };
	if (!p->bytes)
		return false;
	memcpy(p->bytes, d->bytes, keep);
	m->bytes += keep;
	m->n++;
	return true;
}

void memory_clear(struct memory *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->piece[i].bytes);
	m->n = m->bytes = 0;
}

void memory_free(struct memory *m)
{
	memory_clear(m);
	free(m->piece);
	*m = (struct memory){ 0 };
}

static const struct memory_piece *find(const struct memory *m, uint64_t addr, uint32_t kind)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct memory_piece *p = &m->piece[i];

		if (p->kind == kind && addr >= p->addr && addr - p->addr < p->len)
			return p;
	}
	return NULL;
}

size_t memory_get(const struct memory *m, uint64_t addr, uint32_t kind, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		const struct memory_piece *p = find(m, addr + done, kind);
		size_t from, n;

		if (!p)
			break;
		from = addr + done - p->addr;
		if (from >= p->kept)
			break;
		n = p->kept - from;
		if (n > len - done)
			n = len - done;
		memcpy((char *)buf + done, p->bytes + from, n);
		done += n;
	}
	return done;
}

size_t memory_get_any(const struct memory *m, uint64_t addr, void *buf, size_t len)
{
	size_t n = memory_get(m, addr, DATA_MEMORY, buf, len);

	return n ? n : memory_get(m, addr, DATA_INPUT, buf, len);
}

uint64_t memory_length(const struct memory *m, uint64_t addr, uint32_t kind)
{
	uint64_t done = 0;

	/* Pieces follow each other in the trace, so a bound on steps loses nothing but hostile cycles. */
	for (size_t steps = 0; steps <= m->n; steps++) {
		const struct memory_piece *p = find(m, addr + done, kind);

		if (!p)
			break;
		done += p->len - (addr + done - p->addr);
	}
	return done;
}

uint64_t memory_written(const struct memory *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n; i++)
		sum += m->piece[i].kind == DATA_MEMORY ? m->piece[i].len : 0;
	return sum;
}
