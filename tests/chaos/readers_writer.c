/* A lock for readers and a writer that looks first and marks afterwards: both may be in. assert(). */
#include "chaostest.h"

static atomic_int readers, writing;
static int low, high;

static void *reader(void *arg)
{
	while (atomic_load(&writing))
		;
	atomic_fetch_add(&readers, 1);
	assert(low == high);
	atomic_fetch_sub(&readers, 1);
	return arg;
}

static void *writer(void *arg)
{
	atomic_store(&writing, 1);
	while (atomic_load(&readers))
		;
	low++;
	high++;
	atomic_store(&writing, 0);
	return arg;
}

int main(void)
{
	pthread_t w = start(writer, NULL), r = start(reader, NULL);

	join(w);
	join(r);
	return 0;
}
