/* Double-checked locking: the object can be seen before it is complete. assert(). */
#include "chaostest.h"

struct config {
	int size, limit;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct config *volatile the_config;

static struct config *get_config(void)
{
	if (!the_config) {
		pthread_mutex_lock(&lock);
		if (!the_config) {
			the_config = calloc(1, sizeof(*the_config));
			if (!the_config)
				abort();
			the_config->size = 16;
			the_config->limit = 4 * the_config->size;
		}
		pthread_mutex_unlock(&lock);
	}
	return the_config;
}

static void *use(void *arg)
{
	assert(get_config()->limit == 64);
	return arg;
}

int main(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		t[i] = start(use, NULL);
	for (int i = 0; i < 3; i++)
		join(t[i]);
	free(the_config);
	return 0;
}
