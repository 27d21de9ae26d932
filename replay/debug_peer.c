/* Talking to one replayed process. Contract: debug_int.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replay/debug_int.h"

int peer_ask(struct peer *p, const struct link_request *q, const void *bytes, size_t len)
{
	return p->sock < 0 ? -EPIPE : link_send(p->sock, q, sizeof(*q), bytes, len, -1);
}

ssize_t peer_answer(struct peer *p, void *buf, size_t len)
{
	return p->sock < 0 ? -EPIPE : link_receive(p->sock, buf, len, NULL, 0, NULL);
}

int peer_number(struct peer *p, const struct link_request *q, const void *bytes, size_t len)
{
	int rc = peer_ask(p, q, bytes, len);
	int64_t n;
	ssize_t got = rc < 0 ? rc : peer_answer(p, &n, sizeof(n));

	return got < 0 ? (int)got : (int)n;
}

void peer_quit(struct peer *p)
{
	struct link_request q = { .op = LINK_QUIT };

	if (p->sock < 0)
		return;
	link_send(p->sock, &q, sizeof(q), NULL, 0, -1);
	close(p->sock);
	p->sock = -1;
}

int peer_copy(struct peer *p, uint64_t anchor, struct peer *made)
{
	struct link_request q = { .op = LINK_FORK, .number = anchor };
	struct link_stop now;
	int pair[2], rc;
	ssize_t n;

	if (p->sock < 0)
		return -EPIPE;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	rc = link_send(p->sock, &q, sizeof(q), NULL, 0, pair[1]);
	close(pair[1]);
	made->sock = pair[0];
	if (rc == 0) {
		n = peer_answer(p, &now, sizeof(now));
		p->at.place = now.place; /* why it stopped is as it was */
		if (n >= 0)
			n = peer_answer(made, &made->at, sizeof(made->at));
		rc = n < 0 ? (int)n : 0;
	}
	if (rc < 0) {
		close(made->sock);
		made->sock = -1;
	}
	return rc;
}

int peer_mark(struct peer *p, struct link_mark *m)
{
	struct link_request q = { .op = LINK_MARK };
	int rc = peer_ask(p, &q, NULL, 0);
	ssize_t n = rc < 0 ? rc : peer_answer(p, m, sizeof(*m));

	if (n < 0)
		return (int)n;
	return m->tid ? 0 : -EIO;
}

static void interrupt(struct peer *p)
{
	struct link_request q = { .op = LINK_INTERRUPT };

	link_send(p->sock, &q, sizeof(q), NULL, 0, -1);
}

/* Waits for p's answer, or for the client to lose patience. */
static void attend(struct replay_debug *d, struct peer *p)
{
	struct pollfd f[2] = { { .fd = p->sock, .events = POLLIN }, { .fd = d->how ? d->how->fd : -1, .events = POLLIN } };

	while (d->how && !d->cancelled) {
		if (poll(f, 2, -1) < 0 && errno != EINTR)
			return;
		if (f[0].revents)
			return;
		if (f[1].revents && d->how->interrupted(d->how->arg)) {
			d->cancelled = true;
			interrupt(p);
		}
	}
}

static bool to_goal(const struct replay_debug *d, const struct link_run *run)
{
	const struct link_mark *m = &d->goal.mark;

	return d->goal.at && run->limit == LIMIT_MARK && m->events == run->mark.events && m->tid == run->mark.tid &&
	       !memcmp(&m->regs, &run->mark.regs, sizeof(m->regs));
}

/* What was learned first tells least by now. */
static void add_words(struct exec_point *p, const struct link_words *w)
{
	unsigned n = w->n < LINK_WORDS_MAX ? w->n : LINK_WORDS_MAX, most = TRAMP_WORDS - n;

	if (p->nwords > most) {
		memmove(p->word, p->word + (p->nwords - most), most * sizeof(p->word[0]));
		p->nwords = (uint16_t)most;
	}
	memcpy(p->word + p->nwords, w->word, n * sizeof(p->word[0]));
	p->nwords = (uint16_t)(p->nwords + n);
}

/* p has come to another place that cannot be told from the goal inside the guest: on, with words that tell. */
static int learn(struct replay_debug *d, struct peer *p)
{
	struct link_request words = { .op = LINK_WORDS }, fill = { .op = LINK_FILL }, on = { .op = LINK_LEARN };
	struct link_mark *m = &d->goal.mark;
	struct peer there = { .sock = -1 };
	struct link_words w;
	int rc = d->cancelled ? -ECANCELED : peer_ask(p, &words, NULL, 0);

	if (rc == 0 && peer_answer(p, &w, sizeof(w)) != sizeof(w))
		rc = -EPIPE;
	/* Who stands there may be a checkpoint, which is to stay without a machine. */
	if (rc == 0)
		rc = peer_copy(d->goal.at, 0, &there);
	if (rc == 0) {
		add_words(&m->point, &w);
		rc = peer_ask(&there, &fill, m, sizeof(*m));
	}
	if (rc == 0 && peer_answer(&there, m, sizeof(*m)) != sizeof(*m))
		rc = -EPIPE;
	peer_quit(&there);
	return rc < 0 ? rc : peer_ask(p, &on, m, sizeof(*m));
}

static int begin_run(struct replay_debug *d, struct peer *p, const struct link_run *run)
{
	struct link_request q = { .op = LINK_POINTS };
	struct link_run r = *run;
	int rc = peer_number(p, &q, d->point, run->points ? d->npoints * sizeof(d->point[0]) : 0);

	if (to_goal(d, run)) {
		r.mark = d->goal.mark;
		r.learns = true;
	}
	q.op = LINK_RUN;
	return rc < 0 ? rc : peer_ask(p, &q, &r, sizeof(r));
}

int peer_run(struct replay_debug *d, struct peer *p, const struct link_run *run)
{
	int rc = d->cancelled ? -ECANCELED : begin_run(d, p, run);
	ssize_t n;

	do {
		if (rc < 0)
			return rc;
		attend(d, p);
		n = peer_answer(p, &p->at, sizeof(p->at));
		if (n < 0) {
			close(p->sock);
			p->sock = -1;
			return (int)n;
		}
		rc = p->at.kind == LINK_FALSE ? learn(d, p) : 0;
	} while (rc < 0 || p->at.kind == LINK_FALSE);
	return p->at.kind == DEBUG_INTERRUPTED && d->cancelled ? -ECANCELED : 0;
}
