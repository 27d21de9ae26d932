/* Framing of the remote protocol. Contract: packet.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdbstub/packet.h"

#define INTERRUPT 0x03
#define ESCAPE 0x7d
#define ESCAPE_XOR 0x20

int packet_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* ---- in ---- */

static void start(struct packet_in *p)
{
	p->state = PACKET_BODY;
	p->escaped = p->too_long = p->bad_sum = false;
	p->sum = 0;
	p->len = 0;
}

static void take(struct packet_in *p, unsigned char byte)
{
	p->sum = (uint8_t)(p->sum + byte);
	if (byte == ESCAPE && !p->escaped) {
		p->escaped = true;
		return;
	}
	if (p->len == PACKET_MAX)
		p->too_long = true;
	else
		p->data[p->len++] = p->escaped ? byte ^ ESCAPE_XOR : byte;
	p->escaped = false;
}

static enum packet_event end(struct packet_in *p, int low)
{
	p->state = PACKET_IDLE;
	p->data[p->len] = 0;
	p->bad_sum = p->high < 0 || low < 0 || (p->high << 4 | low) != p->sum;
	if (p->too_long || p->escaped || (p->bad_sum && !p->no_ack))
		return PACKET_BAD;
	return PACKET_DATA;
}

static enum packet_event between(struct packet_in *p, unsigned char byte)
{
	switch (byte) {
	case '$':
		start(p);
		return PACKET_MORE;
	case '+':
		return PACKET_ACK;
	case '-':
		return PACKET_NAK;
	case INTERRUPT:
		return PACKET_INTERRUPT;
	}
	return PACKET_MORE;
}

enum packet_event packet_feed(struct packet_in *p, unsigned char byte)
{
	switch (p->state) {
	case PACKET_BODY:
		if (byte == '#')
			p->state = PACKET_SUM1;
		else if (byte == '$') /* the rest of the one before was lost */
			start(p);
		else
			take(p, byte);
		return PACKET_MORE;
	case PACKET_SUM1:
		p->high = packet_digit((char)byte);
		p->state = PACKET_SUM2;
		return PACKET_MORE;
	case PACKET_SUM2:
		return end(p, packet_digit((char)byte));
	case PACKET_IDLE:
		break;
	}
	return between(p, byte);
}

/* ---- out ---- */

static bool room(struct packet_out *o, size_t n)
{
	size_t cap = o->cap ? o->cap : 4096;
	unsigned char *buf;

	if (o->failed)
		return false;
	while (cap < o->len + n)
		cap *= 2;
	if (cap == o->cap)
		return true;
	buf = realloc(o->buf, cap);
	o->failed = !buf;
	if (!buf)
		return false;
	o->buf = buf;
	o->cap = cap;
	return true;
}

static void put(struct packet_out *o, unsigned char c)
{
	if (room(o, 1))
		o->buf[o->len++] = c;
}

void packet_begin(struct packet_out *o)
{
	o->len = 0;
	o->failed = false;
	put(o, '$');
}

void packet_text(struct packet_out *o, const char *s)
{
	packet_binary(o, s, strlen(s));
}

void packet_printf(struct packet_out *o, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		o->failed = true;
		return;
	}
	packet_text(o, s);
	free(s);
}

void packet_hex(struct packet_out *o, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = bytes;

	if (!room(o, 2 * len))
		return;
	for (size_t i = 0; i < len; i++) {
		o->buf[o->len++] = (unsigned char)digits[b[i] >> 4];
		o->buf[o->len++] = (unsigned char)digits[b[i] & 15];
	}
}

void packet_binary(struct packet_out *o, const void *bytes, size_t len)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < len; i++) {
		/* '*' would be taken for the count of a run. */
		if (b[i] == '$' || b[i] == '#' || b[i] == ESCAPE || b[i] == '*') {
			put(o, ESCAPE);
			put(o, b[i] ^ ESCAPE_XOR);
		} else {
			put(o, b[i]);
		}
	}
}

const unsigned char *packet_finish(struct packet_out *o, size_t *len)
{
	static const char failed[] = "$E0c#d8";
	uint8_t sum = 0;
	char tail[4];

	for (size_t i = 1; i < o->len; i++)
		sum = (uint8_t)(sum + o->buf[i]);
	snprintf(tail, sizeof(tail), "#%02x", sum);
	for (unsigned i = 0; i < 3; i++)
		put(o, (unsigned char)tail[i]);
	*len = o->failed ? sizeof(failed) - 1 : o->len;
	return o->failed ? (const unsigned char *)failed : o->buf;
}

void packet_free(struct packet_out *o)
{
	free(o->buf);
	*o = (struct packet_out){ 0 };
}

/* ---- text ---- */

bool packet_number(const char **s, uint64_t *v)
{
	const char *p = *s;

	*v = 0;
	for (; packet_digit(*p) >= 0; p++) {
		if (*v >> 60)
			return false;
		*v = *v << 4 | (uint64_t)packet_digit(*p);
	}
	if (p == *s)
		return false;
	*s = p;
	return true;
}

bool packet_expect(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

bool packet_bytes(const char **s, void *bytes, size_t n)
{
	unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++) {
		int high = packet_digit((*s)[0]), low = high < 0 ? -1 : packet_digit((*s)[1]);

		if (low < 0)
			return false;
		b[i] = (unsigned char)(high << 4 | low);
		*s += 2;
	}
	return true;
}
