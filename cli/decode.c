/* System calls as text. Contract: decode.h. */
#include <asm/unistd_64.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/decode.h"
#include "syscall-emu/bpf_abi.h"
#include "syscall-emu/names_sets.h"
#include "vmm/cleanup.h"

#define PATH_SHOWN 4096
#define NESTED_SHOWN 8

void decode_call(struct call *c, const struct event *ev, const struct memory *mem)
{
	const struct guest_regs *r = &ev->regs;

	*c = (struct call){ .ev = ev, .mem = mem, .nr = (uint32_t)r->rax, .result = ev->result,
			   .string_max = DECODE_STRING_MAX };
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	memcpy(c->arg, args, sizeof(args));
	c->row = sys_lookup(c->nr, args);
	if (!c->row)
		c->row = sys_row((unsigned)c->nr);
	c->variant = c->row && strchr(c->row->name, '$');
	c->unfinished = (ev->flags & REC_F_RESTART) || ev->result == SYS_ERESTARTSYS || ev->result == SYS_REGS_SET;
	c->failed = !c->unfinished && ev->result < 0 && ev->result >= -4095;
}

void decode_name(FILE *out, const struct call *c)
{
	if (c->row)
		fprintf(out, "%.*s", (int)strcspn(c->row->name, "$"), c->row->name);
	else
		fprintf(out, "syscall_%#" PRIx64, c->nr);
}

/* A mode that no file is made with says nothing. */
static bool mode_unused(const struct call *c, unsigned i)
{
	return i && c->row->arg[i] == A_MODE && c->row->names[i - 1] == &names_open_flags &&
	       !(c->arg[i - 1] & (O_CREAT | __O_TMPFILE));
}

unsigned decode_nargs(const struct call *c)
{
	unsigned n = c->row ? c->row->nargs : 6;

	if (c->row && c->nr == __NR_bpf && !(c->arg[0] & CMD_COMMON_ATTRS))
		return 3; /* the others mean nothing */
	return c->row && n && mode_unused(c, n - 1) ? n - 1 : n;
}

void decode_address(FILE *out, uint64_t addr)
{
	if (addr)
		fprintf(out, "%#" PRIx64, addr);
	else
		fputs("NULL", out);
}

void decode_pointer(FILE *out, const struct call *c, uint64_t addr)
{
	if (addr && c->no_addresses)
		fputs("ADDR", out);
	else
		decode_address(out, addr);
}

static void put_byte(FILE *out, unsigned char c, bool digit_follows)
{
	static const char special[] = "\"\\\n\t\r\v\f", letter[] = "\"\\ntrvf";
	const char *e = c ? strchr(special, c) : NULL;

	if (e)
		fprintf(out, "\\%c", letter[e - special]);
	else if (c >= 0x20 && c < 0x7f)
		fputc(c, out);
	else
		fprintf(out, digit_follows ? "\\%03o" : "\\%o", c);
}

void decode_quoted(FILE *out, const void *bytes, size_t len, bool more)
{
	const unsigned char *b = bytes;

	fputc('"', out);
	for (size_t i = 0; i < len; i++)
		put_byte(out, b[i], i + 1 < len && b[i + 1] >= '0' && b[i + 1] <= '9');
	fputs(more ? "\"..." : "\"", out);
}

void decode_bytes(FILE *out, const struct call *c, uint64_t addr, uint32_t kind, uint64_t len)
{
	size_t room = len < c->string_max ? len : c->string_max, n;

	if (room > MEMORY_BYTES_MAX) /* no more is held */
		room = MEMORY_BYTES_MAX;
	cleanup_free unsigned char *buf = malloc(room + 1);

	n = buf ? memory_get(c->mem, addr, kind, buf, room) : 0;
	if (!n && (len || c->failed || c->unfinished))
		decode_pointer(out, c, addr);
	else
		decode_quoted(out, buf, n, n < len);
}

static void put_string(FILE *out, const struct call *c, uint64_t addr)
{
	char buf[PATH_SHOWN];
	size_t n = memory_get(c->mem, addr, DATA_INPUT, buf, sizeof(buf));
	size_t len = strnlen(buf, n);

	if (!n || !addr)
		decode_pointer(out, c, addr);
	else
		decode_quoted(out, buf, len, len == n);
}

/* As far as a length can be known from the event alone; UINT64_MAX if not. */
static uint64_t length(const struct call *c, const struct sys_len *l)
{
	uint32_t v;

	switch (l->op) {
	case LEN_CONST:
		return l->scale;
	case LEN_ARG:
		return c->arg[l->arg] * l->scale;
	case LEN_RET:
		return c->failed || c->result < 0 ? 0 : (uint64_t)c->result * l->scale;
	case LEN_DEREF:
		if (l->width == sizeof(v) && memory_get_any(c->mem, c->arg[l->arg], &v, sizeof(v)) == sizeof(v))
			return (uint64_t)v * l->scale;
		return UINT64_MAX;
	default:
		return UINT64_MAX;
	}
}

static uint64_t load(const unsigned char *b, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, b, len);
	return v;
}

/* A length that goes in and out: "[16 => 8]". */
static bool put_number_object(FILE *out, const struct call *c, const struct sys_mem *m, uint64_t addr)
{
	unsigned char before[8], after[8];
	uint64_t size = length(c, &m->cap);
	size_t in, got;

	if (m->cap.op != LEN_CONST || (size != 4 && size != 8))
		return false;
	in = m->dir & MEM_IN ? memory_get(c->mem, addr, DATA_INPUT, before, size) : 0;
	got = m->dir & MEM_OUT ? memory_get(c->mem, addr, DATA_MEMORY, after, size) : 0;
	if (in != size && got != size)
		return false;
	fputc('[', out);
	if (in == size)
		fprintf(out, "%" PRId64, size == 4 ? (int64_t)(int32_t)load(before, 4) : (int64_t)load(before, 8));
	if (in == size && got == size && memcmp(before, after, size))
		fputs(" => ", out);
	if (got == size && (in != size || memcmp(before, after, size)))
		fprintf(out, "%" PRId64, size == 4 ? (int64_t)(int32_t)load(after, 4) : (int64_t)load(after, 8));
	fputc(']', out);
	return true;
}

static void put_buffer(FILE *out, const struct call *c, const struct sys_mem *m, uint64_t addr)
{
	uint32_t kind = m->dir & MEM_OUT ? DATA_MEMORY : DATA_INPUT;
	uint64_t len = length(c, m->got.op && (m->dir & MEM_OUT) ? &m->got : &m->cap);
	uint64_t there = memory_length(c->mem, addr, kind);

	if (len > there && (kind == DATA_MEMORY || len == UINT64_MAX))
		len = there;
	decode_bytes(out, c, addr, kind, len);
}

/* One object with pointers in it: its own bytes only where somebody compares them, then what the pointers led to. */
static void put_parent(FILE *out, const struct call *c, const struct sys_mem *m, uint64_t addr)
{
	uint32_t kind = m->dir & MEM_OUT ? DATA_MEMORY : DATA_INPUT;
	const char *sep = "";

	fputc('{', out);
	for (const struct sys_mem *sub = m->sub; sub->dir; sub++) {
		uint32_t sub_kind = sub->dir & MEM_OUT ? DATA_MEMORY : DATA_INPUT;
		uint64_t to, len;

		if (memory_get(c->mem, addr + sub->off, DATA_INPUT, &to, sizeof(to)) != sizeof(to) &&
		    memory_get(c->mem, addr + sub->off, kind, &to, sizeof(to)) != sizeof(to))
			continue;
		len = memory_length(c->mem, to, sub_kind);
		if (!to || !len)
			continue;
		fprintf(out, "%s[%u]=", sep, sub->off);
		decode_bytes(out, c, to, sub_kind, len);
		sep = ", ";
	}
	fputs(*sep ? "}" : "...}", out);
}

/* Objects that have no form of their own: what was recorded of the memory they point to. */
static void put_nested(FILE *out, const struct call *c, const struct sys_mem *m, uint64_t addr)
{
	uint64_t size = m->flags & MEM_ARRAY ? length(c, &m->cap) : m->elem;

	if (!memory_length(c->mem, addr, DATA_INPUT) && !memory_length(c->mem, addr, DATA_MEMORY)) {
		decode_pointer(out, c, addr);
		return;
	}
	if (!(m->flags & MEM_ARRAY) || !m->elem) {
		put_parent(out, c, m, addr);
		return;
	}
	fputc('[', out);
	for (uint64_t at = 0; at < size && at < NESTED_SHOWN * (uint64_t)m->elem; at += m->elem) {
		fputs(at ? ", " : "", out);
		put_parent(out, c, m, addr + at);
	}
	fputs(size > NESTED_SHOWN * (uint64_t)m->elem ? ", ...]" : "]", out);
}

static const struct sys_mem *region_of(const struct call *c, unsigned i)
{
	for (const struct sys_mem *m = c->row->mem; m && m->dir; m++)
		if (m->arg == i)
			return m;
	return NULL;
}

static void put_pointer(FILE *out, const struct call *c, unsigned i)
{
	const struct sys_mem *m = region_of(c, i);
	uint64_t addr = c->arg[i];

	if (!addr || !m)
		decode_pointer(out, c, addr);
	else if (m->cap.op == LEN_CSTR && m->dir == MEM_IN)
		put_string(out, c, addr);
	else if (!decode_object(out, c, i) && !put_number_object(out, c, m, addr)) {
		if (m->sub)
			put_nested(out, c, m, addr);
		else
			put_buffer(out, c, m, addr);
	}
}

/* The command's name is the rest of its row's. */
static bool put_command(FILE *out, const struct call *c, unsigned i)
{
	if (!c->variant || c->row->arg[i] != A_CMD || c->row->names[i])
		return false;
	fputs(strchr(c->row->name, '$') + 1, out);
	if (c->nr == __NR_bpf && c->arg[0] & CMD_COMMON_ATTRS)
		fputs("|BPF_COMMON_ATTRS", out);
	return true;
}

static uint64_t widened(unsigned kind, uint64_t v)
{
	switch (kind) {
	case A_INT:
	case A_FD:
	case A_PID:
	case A_SIG:
		return (uint64_t)(int64_t)(int32_t)v;
	case A_UINT:
	case A_ENUM:
	case A_MODE:
	case A_UID:
	case A_CMD:
		return (uint32_t)v;
	default:
		return v;
	}
}

static void put_value(FILE *out, const struct call *c, unsigned kind, uint64_t v)
{
	const char *name;

	switch (kind) {
	case A_FD:
		if ((int64_t)v == -100)
			fputs("AT_FDCWD", out);
		else
			fprintf(out, "%" PRId64, (int64_t)v);
		return;
	case A_UID:
		fprintf(out, "%d", (int)v);
		return;
	case A_SIG:
		name = signal_name((int)v);
		if (name)
			fputs(name, out);
		else
			fprintf(out, "%d", (int)v);
		return;
	case A_MODE:
		fprintf(out, "%#03" PRIo64, v);
		return;
	case A_INT:
	case A_PID:
	case A_LONG:
	case A_OFF:
		fprintf(out, "%" PRId64, (int64_t)v);
		return;
	case A_UINT:
	case A_SIZE:
	case A_ENUM:
		fprintf(out, "%" PRIu64, v);
		return;
	case A_ULONG:
		fprintf(out, v < 10000 ? "%" PRIu64 : "%#" PRIx64, v);
		return;
	case A_ADDR:
	case A_PTR:
		decode_pointer(out, c, v);
		return;
	default:
		fprintf(out, v ? "%#" PRIx64 : "0", v);
	}
}

void decode_arg(FILE *out, const struct call *c, unsigned i)
{
	unsigned kind = c->row ? c->row->arg[i] : A_ADDR;
	const struct sys_names *names = c->row ? c->row->names[i] : NULL;
	uint64_t v = widened(kind, c->arg[i]);
	char buf[512];

	/* The flags of open and the like are ints too. */
	if (kind == A_FLAGS && !(c->arg[i] >> 32 && (int64_t)c->arg[i] >= 0))
		v = (uint32_t)v;
	if (kind == A_PATH || kind == A_STR)
		put_string(out, c, v);
	else if (kind == A_PTR && c->row)
		put_pointer(out, c, i);
	else if (c->row && put_command(out, c, i))
		return;
	else if (names) {
		names_format(names, v, buf, sizeof(buf));
		fputs(buf, out);
	} else
		put_value(out, c, kind, v);
}

void decode_result(FILE *out, const struct call *c)
{
	const char *name;

	if (c->result == SYS_REGS_SET) {
		fputc('?', out);
	} else if (c->unfinished) {
		fputs("? ERESTARTSYS (to be restarted)", out);
	} else if (c->failed) {
		name = errno_name((int)-c->result);
		if (name)
			fprintf(out, "-1 %s (%s)", name, strerror((int)-c->result));
		else
			fprintf(out, "-1 (errno %d)", (int)-c->result);
	} else if (c->row && c->row->ret == RET_ADDR) {
		if (c->no_addresses)
			fputs("ADDR", out);
		else
			fprintf(out, "%#" PRIx64, (uint64_t)c->result);
	} else if (c->row && c->row->ret == RET_NONE) {
		fputc('?', out);
	} else {
		fprintf(out, "%" PRId64, c->result);
	}
	if (c->ev->flags & REC_F_REFUSED)
		fputs(" (refused by the sandbox)", out);
	else if (c->ev->flags & REC_F_INJECTED)
		fputs(" (INJECTED)", out);
}
