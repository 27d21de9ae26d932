/* A pool of workers with futures, work that makes more work, and an orderly end. */
#include "threadtest.h"

struct job {
	struct job *next;
	unsigned from, to;
	struct job *part[2];
	uint64_t result;
	_Atomic int left; /* parts not done */
	struct job *parent;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static bool stop, finished;
static _Atomic unsigned ran;

static void give(struct job *j)
{
	pthread_mutex_lock(&lock);
	j->next = jobs;
	jobs = j;
	pthread_cond_signal(&work);
	pthread_mutex_unlock(&lock);
}

static void finish(struct job *j)
{
	while (j) {
		if (j->part[0]) {
			j->result = j->part[0]->result + j->part[1]->result;
			free(j->part[0]);
			free(j->part[1]);
		}
		if (!j->parent) {
			pthread_mutex_lock(&lock);
			finished = true;
			pthread_cond_signal(&done);
			pthread_mutex_unlock(&lock);
			return;
		}
		j = j->parent;
		if (atomic_fetch_sub(&j->left, 1) != 1)
			return;
	}
}

static void run(struct job *j)
{
	ran++;
	if (j->to - j->from <= 500) {
		for (unsigned i = j->from; i < j->to; i++)
			j->result += (uint64_t)i * i % 1000003;
		finish(j);
		return;
	}
	j->left = 2;
	for (int i = 0; i < 2; i++) {
		unsigned middle = (j->from + j->to) / 2;
		struct job *p = calloc(1, sizeof(*p));

		p->from = i ? middle : j->from;
		p->to = i ? j->to : middle;
		p->parent = j;
		j->part[i] = p;
	}
	give(j->part[0]);
	give(j->part[1]);
}

static void *worker(void *arg)
{
	struct job *j;

	(void)arg;
	for (;;) {
		pthread_mutex_lock(&lock);
		while (!jobs && !stop)
			pthread_cond_wait(&work, &lock);
		j = jobs;
		if (j)
			jobs = j->next;
		pthread_mutex_unlock(&lock);
		if (!j)
			return NULL;
		run(j);
	}
}

int main(void)
{
	pthread_t t[6];
	struct job all = { .to = 200000 };

	for (int i = 0; i < 6; i++)
		t[i] = start(worker, NULL);
	give(&all);
	pthread_mutex_lock(&lock);
	while (!finished)
		pthread_cond_wait(&done, &lock);
	stop = true;
	pthread_cond_broadcast(&work);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 6; i++)
		join(t[i]);
	printf("%lu in %u jobs\n", (unsigned long)all.result, ran);
	return guest_end();
}
