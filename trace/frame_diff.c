/* Differences between events in a frame. Contract: frame_diff.h. */
#include "trace/frame_diff.h"
#include "trace/record.h"

/* The event at or behind p, and *p behind it; NULL: no more. */
static struct rec_event *next_event(char **p, const char *end)
{
	struct rec_head head;
	uint32_t size;

	while ((size = record_size(*p, (size_t)(end - *p), &head))) {
		void *at = *p;

		*p += size;
		if (record_is_event(head.type))
			return at;
	}
	return NULL;
}

void frame_diff(void *records, size_t len, uint64_t first_event)
{
	uint64_t number = first_event, time = 0;
	char *p = records, *end = p + len;
	struct rec_event *e;

	while ((e = next_event(&p, end))) {
		uint64_t now = e->time_ns;

		e->index -= number++;
		e->time_ns -= time;
		time = now;
	}
}

void frame_undiff(void *records, size_t len, uint64_t first_event)
{
	uint64_t number = first_event, time = 0;
	char *p = records, *end = p + len;
	struct rec_event *e;

	while ((e = next_event(&p, end))) {
		e->index += number++;
		e->time_ns = time += e->time_ns;
	}
}
