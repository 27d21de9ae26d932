/*
 * ABA: a stack without locks compares its top with one read before. Meanwhile that node was taken, another one too, and the
 * first put back: what was read of it is old, and a node that somebody owns is on the stack again. assert().
 */
#include "chaostest.h"

struct node {
	struct node *next;
	atomic_int owners;
};

static struct node pool[3];
static _Atomic(struct node *) top;

static struct node *pop(void)
{
	struct node *n = atomic_load(&top);

	while (n && !atomic_compare_exchange_strong(&top, &n, n->next))
		;
	return n;
}

static void push(struct node *n)
{
	n->next = atomic_load(&top);
	while (!atomic_compare_exchange_strong(&top, &n->next, n))
		;
}

static void own(struct node *n)
{
	if (n)
		assert(atomic_fetch_add(&n->owners, 1) == 0);
}

static void *take_one(void *arg)
{
	own(pop());
	own(pop());
	return arg;
}

static void *take_two_give_one(void *arg)
{
	struct node *a = pop(), *b = pop();

	own(b);
	if (a)
		push(a);
	return arg;
}

int main(void)
{
	pthread_t x, y;

	for (int i = 0; i < 3; i++)
		push(&pool[i]);
	x = start(take_one, NULL);
	y = start(take_two_give_one, NULL);
	join(x);
	join(y);
	return 0;
}
