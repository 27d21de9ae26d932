/* Packets about registers, memory and breakpoints. Contract: stub_int.h. */
#include <errno.h>
#include <string.h>

#include "gdbstub/stub_int.h"

#define READ_MAX (PACKET_MAX / 2 - 16) /* two digits a byte */

/* ---- registers ---- */

static int load(struct stub *s)
{
	return s->elsewhere ? -ESRCH : s->t->ops->get_regs(s->t, stub_thread(s), &s->thread_regs);
}

static void store(struct stub *s)
{
	int rc = s->t->ops->set_regs(s->t, stub_thread(s), &s->thread_regs);

	if (rc < 0)
		stub_error(s, rc);
	else
		stub_ok(s);
}

static void put_reg(struct stub *s, unsigned n)
{
	uint8_t buf[STUB_REG_SIZE];
	unsigned size = stub_reg_get(&s->regs, n, &s->thread_regs, buf);

	packet_hex(&s->reply, buf, size);
}

static bool read_regs(struct stub *s)
{
	int rc = load(s);

	if (rc < 0)
		stub_error(s, rc);
	for (unsigned i = 0; rc == 0 && i < s->regs.n; i++)
		put_reg(s, i);
	return true;
}

/* Segment registers come back as they were; nobody can change them. */
static bool write_regs(struct stub *s, const char *p)
{
	uint8_t buf[STUB_REG_SIZE];
	int rc = load(s);

	for (unsigned i = 0; rc == 0 && i < s->regs.n; i++) {
		if (!packet_bytes(&p, buf, s->regs.reg[i].size))
			rc = -EINVAL;
		else
			stub_reg_set(&s->regs, i, &s->thread_regs, buf);
	}
	if (rc < 0)
		stub_error(s, rc);
	else
		store(s);
	return true;
}

static bool read_reg(struct stub *s, const char *p)
{
	uint64_t n;
	int rc = packet_number(&p, &n) && n < s->regs.n ? load(s) : -EINVAL;

	if (rc < 0)
		stub_error(s, rc);
	else
		put_reg(s, (unsigned)n);
	return true;
}

static bool write_reg(struct stub *s, const char *p)
{
	uint8_t buf[STUB_REG_SIZE];
	uint64_t n;
	int rc = packet_number(&p, &n) && packet_expect(&p, '=') && n < s->regs.n &&
		 packet_bytes(&p, buf, s->regs.reg[n].size) ? load(s) : -EINVAL;

	if (rc == 0 && !stub_reg_set(&s->regs, (unsigned)n, &s->thread_regs, buf))
		rc = -EINVAL;
	if (rc < 0)
		stub_error(s, rc);
	else
		store(s);
	return true;
}

/* ---- memory ---- */

static bool range(const char **p, uint64_t *addr, uint64_t *len)
{
	return packet_number(p, addr) && packet_expect(p, ',') && packet_number(p, len);
}

static bool read_memory(struct stub *s, const char *p, bool binary)
{
	static uint8_t buf[READ_MAX];
	uint64_t addr, len;
	ssize_t n;

	if (!range(&p, &addr, &len)) {
		stub_error(s, -EINVAL);
		return true;
	}
	n = s->t->ops->read(s->t, addr, buf, len < sizeof(buf) ? len : sizeof(buf));
	if (n < 0) {
		stub_error(s, (int)n);
	} else if (binary) {
		packet_text(&s->reply, "b");
		packet_binary(&s->reply, buf, (size_t)n);
	} else {
		packet_hex(&s->reply, buf, (size_t)n);
	}
	return true;
}

static void write_bytes(struct stub *s, uint64_t addr, const void *bytes, size_t len)
{
	/* A child that gdb has been told of and leaves alone: the breakpoints taken out of it are not there. */
	int rc = s->elsewhere || !len ? 0 : s->t->ops->write(s->t, addr, bytes, len);

	if (rc < 0)
		stub_error(s, rc);
	else
		stub_ok(s);
}

static bool write_hex(struct stub *s, const char *p)
{
	static uint8_t buf[READ_MAX];
	uint64_t addr, len;

	if (range(&p, &addr, &len) && packet_expect(&p, ':') && len <= sizeof(buf) && packet_bytes(&p, buf, len) && !*p)
		write_bytes(s, addr, buf, len);
	else
		stub_error(s, -EINVAL);
	return true;
}

static bool write_binary(struct stub *s, const char *p, size_t size)
{
	const char *start = p;
	uint64_t addr, len;

	if (range(&p, &addr, &len) && packet_expect(&p, ':') && len == size - (size_t)(p - start))
		write_bytes(s, addr, p, len);
	else
		stub_error(s, -EINVAL);
	return true;
}

/* ---- breakpoints and watchpoints ---- */

static bool point(struct stub *s, const char *p, bool set)
{
	uint64_t kind, addr, len;
	int rc;

	if (!packet_number(&p, &kind) || !packet_expect(&p, ',') || !range(&p, &addr, &len)) {
		stub_error(s, -EINVAL);
		return true;
	}
	if (kind >= DEBUG_POINTS || *p) /* conditions and commands were not offered */
		return false;
	if (s->elsewhere)
		rc = 0;
	else if (set)
		rc = s->t->ops->set_point(s->t, (enum debug_point)kind, addr, len);
	else
		rc = s->t->ops->clear_point(s->t, (enum debug_point)kind, addr, len);
	if (rc == -EOPNOTSUPP)
		return false;
	if (rc < 0)
		stub_error(s, rc);
	else
		stub_ok(s);
	return true;
}

bool stub_state(struct stub *s, const char *p, size_t len)
{
	switch (p[0]) {
	case 'g':
		return read_regs(s);
	case 'G':
		return write_regs(s, p + 1);
	case 'p':
		return read_reg(s, p + 1);
	case 'P':
		return write_reg(s, p + 1);
	case 'm':
		return read_memory(s, p + 1, false);
	case 'x':
		return read_memory(s, p + 1, true);
	case 'M':
		return write_hex(s, p + 1);
	case 'X':
		return write_binary(s, p + 1, len - 1);
	case 'Z':
		return point(s, p + 1, true);
	default:
		return point(s, p + 1, false);
	}
}
