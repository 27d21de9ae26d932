/*
 * The framing of gdb's remote serial protocol: `$data#checksum`, acknowledgements, `}`-escapes, the single byte of an
 * interrupt. Source: "Debugging with GDB", appendix E, Remote Protocol. Nothing here reads or writes a descriptor.
 */
#ifndef SANDREC_PACKET_H
#define SANDREC_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX (128u << 10) /* bytes of data, escapes undone; what is announced as PacketSize */

enum packet_event {
	PACKET_MORE,      /* nothing yet */
	PACKET_DATA,      /* data[0..len) is a packet; data[len] is 0 */
	PACKET_BAD,       /* one whose checksum or length was wrong: to be answered with '-' unless no_ack */
	PACKET_ACK, PACKET_NAK,
	PACKET_INTERRUPT
};

struct packet_in {
	enum { PACKET_IDLE, PACKET_BODY, PACKET_SUM1, PACKET_SUM2 } state;
	bool escaped, too_long, bad_sum;
	bool no_ack;       /* checksums are not looked at */
	uint8_t sum;       /* of what came */
	int high;          /* first digit of what was said */
	size_t len;
	unsigned char data[PACKET_MAX + 1];
};

/* One byte from the client. */
enum packet_event packet_feed(struct packet_in *p, unsigned char byte);

/* A reply being put together. Growing fails by setting failed; packet_finish() then gives an error packet. */
struct packet_out {
	unsigned char *buf;
	size_t len, cap;
	bool failed;
};
void packet_begin(struct packet_out *o);
void packet_text(struct packet_out *o, const char *s);
void packet_printf(struct packet_out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void packet_hex(struct packet_out *o, const void *bytes, size_t len);
/* Bytes as they are, what must be escaped is. */
void packet_binary(struct packet_out *o, const void *bytes, size_t len);
/* The whole packet, from '$' on: valid until the next packet_begin(). */
const unsigned char *packet_finish(struct packet_out *o, size_t *len);
void packet_free(struct packet_out *o);

/* Numbers and bytes in the text of a packet: false when there is none, or it is too large; *s moves behind it. */
bool packet_number(const char **s, uint64_t *v);         /* hexadecimal, no prefix */
bool packet_expect(const char **s, char c);
int packet_digit(char c);                                /* 0-15 or -1 */
/* 2 * n digits to n bytes; false when they are not all there. */
bool packet_bytes(const char **s, void *bytes, size_t n);

#endif
