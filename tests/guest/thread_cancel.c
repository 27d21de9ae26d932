/* Cancellation: in calls that wait, at once in a computation, put off, refused; cleanup handlers. */
#include <sys/socket.h>
#include "threadtest.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int pipe_fd[2];
static atomic_long at; /* the tid of who waits */
static char trail[64];
static volatile unsigned long spins;

static void cleanup(void *arg)
{
	strcat(trail, arg);
}

static void unlock(void *arg)
{
	(void)arg;
	strcat(trail, "u");
	CHECKP(pthread_mutex_unlock(&lock));
}

static void *in_read(void *arg)
{
	char c;

	(void)arg;
	pthread_cleanup_push(cleanup, "1");
	pthread_cleanup_push(cleanup, "2");
	at = gettid_raw();
	if (read(pipe_fd[0], &c, 1))
		strcat(trail, "r");
	pthread_cleanup_pop(1);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *in_cond(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, NULL);
	at = gettid_raw();
	for (;;)
		pthread_cond_wait(&never, &lock);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *in_sleep(void *arg)
{
	(void)arg;
	pthread_cleanup_push(cleanup, "s");
	at = gettid_raw();
	sleep(1000);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *in_join(void *arg)
{
	(void)arg;
	at = gettid_raw();
	pthread_join(*(pthread_t *)arg, NULL);
	return NULL;
}

static void *computing(void *arg)
{
	(void)arg;
	pthread_cleanup_push(cleanup, "c");
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	at = gettid_raw();
	for (;;)
		spins++;
	pthread_cleanup_pop(0);
	return NULL;
}

static void *testing(void *arg)
{
	(void)arg;
	at = gettid_raw();
	for (;;) {
		spins++;
		pthread_testcancel();
	}
	return NULL;
}

static void *refusing(void *arg)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	at = gettid_raw();
	AWAIT(*(atomic_int *)arg);
	strcat(trail, "d");
	pthread_setcancelstate(old, NULL);
	pthread_testcancel();
	strcat(trail, "x");
	return NULL;
}

static void ended(const char *what, pthread_t t)
{
	printf("%s: %s, %s\n", what, join(t) == PTHREAD_CANCELED ? "cancelled" : "returned", trail);
	trail[0] = '\0';
	at = 0;
}

static void cancel_waiting(const char *what, void *(*fn)(void *), void *arg)
{
	pthread_t t = start(fn, arg);

	AWAIT(at);
	await_asleep(at);
	CHECKP(pthread_cancel(t));
	ended(what, t);
}

int main(void)
{
	pthread_t t, other;
	atomic_int go = 0;

	CHECK(pipe(pipe_fd) == 0);
	cancel_waiting("read", in_read, NULL);
	cancel_waiting("condition", in_cond, NULL);
	SHOWP(pthread_mutex_trylock(&lock));
	cancel_waiting("sleep", in_sleep, NULL);
	other = start(in_read, NULL);
	AWAIT(at);
	await_asleep(at);
	at = 0;
	cancel_waiting("join", in_join, &other);
	CHECKP(pthread_cancel(other));
	ended("whom it waited for", other);
	t = start(computing, NULL);
	AWAIT(at && spins > 1000);
	CHECKP(pthread_cancel(t));
	ended("computation", t);
	t = start(testing, NULL);
	AWAIT(at);
	CHECKP(pthread_cancel(t));
	ended("test", t);
	t = start(refusing, &go);
	AWAIT(at);
	CHECKP(pthread_cancel(t));
	go = 1;
	ended("refused for a time", t);
	/* Before it has waited: at the first call that may. */
	t = start(in_sleep, NULL);
	CHECKP(pthread_cancel(t));
	ended("early", t);
	return guest_end();
}
