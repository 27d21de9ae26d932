/* Random decisions about threads. Contract: chaos.h. */
#include <limits.h>
#include <stdlib.h>

#include "record/chaos.h"
#include "syscall-emu/process.h"

#define PLACES_LOG 11         /* changes are at one of the first 2^11 places, near ones as likely as far ones */
#define CHANCE_LOG 6          /* of a walk: one of 2 to 64 */
#define STEPS_MAX 30000       /* of one process: a second or two where an exit costs the most */
#define ALONE_MAX 400         /* places in a row: a thread that has passed so many may be waiting for another one */
#define NEWS_CHANCE 8         /* one of so many threads that are woken finds that the running one's rank has changed */
#define WALK_NEWS_CHANCE 3
#define RANK_MIN (1u << 16)

/* splitmix64 */
uint64_t chaos_draw(void)
{
	uint64_t z = process_self.seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t draw_near_place(void)
{
	uint64_t magnitude = chaos_draw() % PLACES_LOG;

	return (1ULL << magnitude) + chaos_draw() % (1ULL << magnitude);
}

static uint64_t draw_place(void)
{
	uint64_t n = process_self.places;

	if (n && chaos_draw() % 4)
		return 1 + chaos_draw() % n;
	return draw_near_place();
}

/* Most bugs take one or two; some show when the ranks are right. */
static unsigned draw_changes(void)
{
	static const unsigned char of[8] = { 0, 1, 1, 1, 2, 2, 3, CHAOS_CHANGES_MAX };

	return of[chaos_draw() % sizeof(of)];
}

/* Some switches, but not one everywhere, in the places that there are. */
static unsigned draw_chance(void)
{
	unsigned log = 1;

	while (log < CHANCE_LOG && (!process_self.places || process_self.places >> (log + 1)))
		log++;
	return 2u << chaos_draw() % log;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void chaos_begin(struct chaos *c)
{
	uint64_t way = chaos_draw() % 16;

	*c = (struct chaos){ .way = CHAOS_TIME, .lowest = RANK_MIN };
	if (!process_self.chaos) {
		c->way = CHAOS_OFF;
	} else if (way < 8) {
		c->way = CHAOS_PRIORITIES;
		c->nchanges = draw_changes();
		for (unsigned i = 0; i < c->nchanges; i++)
			c->change[i] = draw_place();
		qsort(c->change, c->nchanges, sizeof(c->change[0]), ascending);
	} else if (way < 15) {
		c->way = CHAOS_WALK;
		c->chance = draw_chance();
	}
}

unsigned chaos_rank(void)
{
	return RANK_MIN + (unsigned)(chaos_draw() >> 33);
}

unsigned chaos_lower(struct chaos *c)
{
	if (c->lowest > 1)
		c->lowest--;
	return c->lowest;
}

bool chaos_steps(struct chaos *c, unsigned rank, unsigned rival)
{
	if (c->steps >= STEPS_MAX) {
		c->way = c->way == CHAOS_OFF ? CHAOS_OFF : CHAOS_TIME;
		return false;
	}
	if (c->way == CHAOS_WALK)
		return true;
	return c->way == CHAOS_PRIORITIES && (c->changed < c->nchanges || rival > rank);
}

unsigned chaos_first_rank(void)
{
	return chaos_draw() % 4 ? UINT_MAX : chaos_rank();
}

bool chaos_learns(const struct chaos *c)
{
	return !process_self.marked && c->steps < STEPS_MAX;
}

bool chaos_place(struct chaos *c, unsigned *rank, unsigned rival)
{
	bool news = c->news, change = news && chaos_draw() % NEWS_CHANCE == 0;

	c->news = false;
	c->passed++;
	if (++c->since > ALONE_MAX) {
		*rank = chaos_lower(c);
		return true;
	}
	if (c->way == CHAOS_WALK)
		return chaos_draw() % (news ? WALK_NEWS_CHANCE : c->chance) == 0;
	while (c->changed < c->nchanges && c->change[c->changed] <= c->passed) {
		c->changed++;
		change = true;
	}
	if (change)
		*rank = chaos_lower(c);
	return rival > *rank;
}

/* Of a hundred threads it is most often the first or the last one that differs from the others. */
uint64_t chaos_choose(uint64_t n)
{
	uint64_t how = chaos_draw() % 4;

	if (n < 2 || how == 0)
		return 0;
	return how == 1 ? n - 1 : chaos_draw() % n;
}

void chaos_switched(struct chaos *c)
{
	c->since = 0;
}
