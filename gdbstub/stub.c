/* The stub's connection and the first look at a packet. Contract: stub.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gdbstub/stub_int.h"

#define RESENDS 8

/* ---- bytes ---- */

static void lost(struct stub *s)
{
	s->over = true;
	s->end = s->detached ? STUB_DETACHED : STUB_LOST;
}

/* More input, waiting for it: false when there will be none. */
static bool fill(struct stub *s)
{
	ssize_t n;

	do
		n = read(s->in, s->buf + s->have, sizeof(s->buf) - s->have);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		lost(s);
		return false;
	}
	s->have += (size_t)n;
	return true;
}

static enum packet_event next_event(struct stub *s)
{
	enum packet_event e = PACKET_MORE;

	while (e == PACKET_MORE && !s->over) {
		if (s->at == s->have) {
			s->at = s->have = 0;
			if (!fill(s))
				break;
		}
		e = packet_feed(&s->packet, s->buf[s->at++]);
	}
	return e;
}

static void write_all(struct stub *s, const void *bytes, size_t len)
{
	const char *b = bytes;

	while (len && !s->over) {
		ssize_t n = write(s->out, b, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			lost(s);
			return;
		}
		b += n;
		len -= (size_t)n;
	}
}

void stub_send(struct stub *s)
{
	size_t len;
	const unsigned char *bytes = packet_finish(&s->reply, &len);
	enum packet_event e = PACKET_NAK;

	for (unsigned i = 0; i < RESENDS && e == PACKET_NAK && !s->over; i++) {
		write_all(s, bytes, len);
		if (s->packet.no_ack)
			return;
		do
			e = next_event(s);
		while (!s->over && e != PACKET_ACK && e != PACKET_NAK && e != PACKET_DATA);
	}
}

bool stub_interrupted(void *stub)
{
	struct stub *s = stub;
	unsigned char *found;

	if (s->at == s->have)
		s->at = s->have = 0;
	if (s->have < sizeof(s->buf) && !fill(s))
		return true;
	found = memchr(s->buf + s->at, 3, s->have - s->at);
	if (!found)
		return false;
	memmove(found, found + 1, (size_t)(s->buf + s->have - found - 1));
	s->have--;
	return true;
}

/* ---- pieces of packets ---- */

void stub_ok(struct stub *s)
{
	packet_text(&s->reply, "OK");
}

void stub_error(struct stub *s, int negative_errno)
{
	packet_printf(&s->reply, "E%02x", (unsigned)-negative_errno & 0xff);
}

static bool one_id(const char **at, pid_t *id)
{
	uint64_t v;

	if (packet_expect(at, '-')) {
		*id = -1;
		return packet_expect(at, '1');
	}
	if (!packet_number(at, &v) || v > INT32_MAX)
		return false;
	*id = (pid_t)v;
	return true;
}

bool stub_thread_id(const char **at, pid_t *pid, pid_t *tid)
{
	*pid = 0;
	if (!packet_expect(at, 'p'))
		return one_id(at, tid);
	*tid = -1;
	return one_id(at, pid) && (!packet_expect(at, '.') || one_id(at, tid));
}

void stub_put_thread(struct stub *s, pid_t tid)
{
	if (s->multiprocess)
		packet_printf(&s->reply, "p%x.%x", (unsigned)s->t->ops->pid(s->t), (unsigned)tid);
	else
		packet_printf(&s->reply, "%x", (unsigned)tid);
}

pid_t stub_thread(struct stub *s)
{
	return s->general > 0 ? s->general : s->t->ops->stopped(s->t)->tid;
}

/* ---- packets ---- */

static bool extended(struct stub *s)
{
	s->extended = true;
	stub_ok(s);
	return true;
}

static bool dispatch(struct stub *s, const char *data, size_t len)
{
	switch (data[0]) {
	case 'q':
	case 'Q':
		return stub_query(s, data);
	case '!':
		return extended(s);
	case 'v':
		return !strncmp(data, "vFile:", 6) ? stub_file(s, data + 6, len - 6) : stub_control(s, data);
	case 'g':
	case 'G':
	case 'p':
	case 'P':
	case 'm':
	case 'M':
	case 'x':
	case 'X':
	case 'z':
	case 'Z':
		return stub_state(s, data, len);
	default:
		return stub_control(s, data);
	}
}

void stub_handle(struct stub *s, const char *data, size_t len)
{
	packet_begin(&s->reply);
	s->answered = false;
	/* What is not known gets the empty reply, whatever it has put there before it knew. */
	if (!dispatch(s, data, len))
		packet_begin(&s->reply);
	if (!s->answered && !s->over)
		stub_send(s);
}

void stub_init(struct stub *s, struct debug_target *t, int in, int out)
{
	memset(s, 0, sizeof(*s));
	s->t = t;
	s->in = in;
	s->out = out;
	for (unsigned i = 0; i < STUB_FILES; i++)
		s->file[i] = -1;
	stub_regs_make(&s->regs, t->ops->layout(t));
	s->xml = stub_regs_xml(&s->regs);
}

void stub_free(struct stub *s)
{
	for (unsigned i = 0; i < STUB_FILES; i++)
		if (s->file[i] >= 0)
			close(s->file[i]);
	packet_free(&s->reply);
	free(s->threads_xml);
	free(s->libraries_xml);
	free(s->xml);
}

static void acknowledge(struct stub *s, bool good)
{
	if (!s->packet.no_ack)
		write_all(s, good ? "+" : "-", 1);
}

static void serve(struct stub *s)
{
	while (!s->over) {
		switch (next_event(s)) {
		case PACKET_DATA:
			acknowledge(s, true);
			/* Handled in place: nothing is read before the reply is on its way, except interrupts. */
			stub_handle(s, (const char *)s->packet.data, s->packet.len);
			break;
		case PACKET_BAD:
			acknowledge(s, false);
			break;
		case PACKET_INTERRUPT: /* it came too late: the program has stopped */
		default:
			break;
		}
	}
}

int stub_serve(struct debug_target *t, int in, int out)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, was;
	struct stub *s = malloc(sizeof(*s));
	int rc = -ENOMEM;

	if (!s)
		return rc;
	sigaction(SIGPIPE, &ignore, &was);
	stub_init(s, t, in, out);
	if (s->xml) {
		serve(s);
		rc = (int)s->end;
	}
	stub_free(s);
	free(s);
	sigaction(SIGPIPE, &was, NULL);
	return rc;
}
