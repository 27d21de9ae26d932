/* Use after free: a reader has looked the object up, and counts itself in only after the owner has let go. assert(). */
#include "chaostest.h"

#define ALIVE 0x600d
#define FREED 0xdead

struct object {
	atomic_int references;
	int state;
};

static struct object object = { 1, ALIVE }; /* never really freed, so that its use can be seen */
static struct object *_Atomic published = &object;

static void put(struct object *o)
{
	if (atomic_fetch_sub(&o->references, 1) == 1)
		o->state = FREED;
}

static void *owner(void *arg)
{
	struct object *o = atomic_exchange(&published, NULL);

	put(o);
	return arg;
}

static void *reader(void *arg)
{
	struct object *o = atomic_load(&published);

	if (!o)
		return arg;
	atomic_fetch_add(&o->references, 1);
	assert(o->state == ALIVE);
	put(o);
	return arg;
}

int main(void)
{
	pthread_t r = start(reader, NULL), w = start(owner, NULL);

	join(r);
	join(w);
	return 0;
}
