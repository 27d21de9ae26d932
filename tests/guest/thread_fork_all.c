/* Several threads fork at once, and end while others do. */
#include "proctest.h"
#include "threadtest.h"

static void *forker(void *arg)
{
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			free(malloc(1000));
			_exit((int)(uintptr_t)arg * 10 + i);
		}
		CHECK(WEXITSTATUS(wait_for(pid)) == (int)(uintptr_t)arg * 10 + i);
	}
	return NULL;
}

static void *short_lived(void *arg)
{
	return arg;
}

static void *forker_or_not(void *arg)
{
	if ((uintptr_t)arg < 4)
		return forker(arg);
	for (int i = 0; i < 10; i++)
		join(start(short_lived, NULL));
	return NULL;
}

int main(void)
{
	together(6, forker_or_not);
	return guest_end();
}
