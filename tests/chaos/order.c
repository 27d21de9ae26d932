/* Order: a thread uses what its maker sets after it has started it. assert(). */
#include "chaostest.h"

struct worker {
	pthread_t id;
	int *queue;
	int done;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	w->done = 1;
	assert(w->queue);
	w->queue[0] = w->done;
	return NULL;
}

int main(void)
{
	static struct worker w[2];
	int queue[2];

	for (int i = 0; i < 2; i++) {
		w[i].id = start(work, &w[i]);
		w[i].queue = &queue[i];
	}
	for (int i = 0; i < 2; i++)
		join(w[i].id);
	return 0;
}
