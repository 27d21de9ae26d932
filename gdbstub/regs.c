/* gdb's numbering of registers. Contract: regs.h. */
#include <stdlib.h>
#include <string.h>

#include "gdbstub/regs.h"

enum kind { K_GENERAL, K_FLAGS, K_SEGMENT, K_ORIG_RAX, K_ST, K_WORD16, K_OPCODE, K_TAGS, K_OFFSET, K_SELECTOR, K_XSAVE };
enum feature { F_CORE, F_SSE, F_LINUX, F_SEGMENTS, F_AVX, F_AVX512, F_PKEYS, NFEATURES };

static const char *const feature_name[NFEATURES] = { "core", "sse", "linux", "segments", "avx", "avx512", "pkeys" };

#define X_FCW 0
#define X_FSW 2
#define X_FTW 4
#define X_FOP 6
#define X_FIP 8
#define X_FDP 16
#define X_MXCSR 24
#define X_ST 32
#define X_XMM 160
#define X_BV 512
#define BV_X87 0x1
#define BV_SSE 0x2
#define BV_AVX 0x4
#define BV_AVX512 0xe0
#define BV_PKRU 0x200

static void add(struct stub_regs *s, enum feature f, const char *name, unsigned size, const char *type, enum kind k,
		unsigned at)
{
	struct stub_reg *r = &s->reg[s->n++];

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->size = (uint8_t)size;
	r->type = type;
	r->feature = (uint8_t)f;
	r->kind = (uint8_t)k;
	r->at = (uint16_t)at;
}

static void add_row(struct stub_regs *s, enum feature f, const char *fmt, unsigned from, unsigned to, unsigned size,
		    const char *type, enum kind k, unsigned at, unsigned stride)
{
	char name[16];

	for (unsigned i = from; i < to; i++) {
		/* The format is one of ours: a number and letters around it. */
		snprintf(name, sizeof(name), fmt, i);
		add(s, f, name, size, type, k, at + (i - from) * stride);
	}
}

static void add_core(struct stub_regs *s)
{
	static const char *const segment[] = { "cs", "ss", "ds", "es", "fs", "gs" };

	for (unsigned i = 0; i <= GREG_RIP; i++)
		add(s, F_CORE, guest_reg_name[i], 8, i == GREG_RIP ? "code_ptr" : i == GREG_RSP || i == GREG_RBP ? "data_ptr" :
		    "int64", K_GENERAL, i);
	add(s, F_CORE, "eflags", 4, "i386_eflags", K_FLAGS, GREG_RFLAGS);
	for (unsigned i = 0; i < 6; i++)
		add(s, F_CORE, segment[i], 4, "int32", K_SEGMENT, i == 0 ? 0x33 : i == 1 ? 0x2b : 0);
	add_row(s, F_CORE, "st%u", 0, 8, 10, "i387_ext", K_ST, X_ST, 16);
	add(s, F_CORE, "fctrl", 4, "int", K_WORD16, X_FCW);
	add(s, F_CORE, "fstat", 4, "int", K_WORD16, X_FSW);
	add(s, F_CORE, "ftag", 4, "int", K_TAGS, 0);
	add(s, F_CORE, "fiseg", 4, "int", K_SELECTOR, X_FIP);
	add(s, F_CORE, "fioff", 4, "int", K_OFFSET, X_FIP);
	add(s, F_CORE, "foseg", 4, "int", K_SELECTOR, X_FDP);
	add(s, F_CORE, "fooff", 4, "int", K_OFFSET, X_FDP);
	add(s, F_CORE, "fop", 4, "int", K_OPCODE, X_FOP);
}

static void add_avx512(struct stub_regs *s, const struct debug_layout *l)
{
	add_row(s, F_AVX512, "k%u", 0, 8, 8, "uint64", K_XSAVE, l->opmask, 8);
	add_row(s, F_AVX512, "zmm%uh", 0, 16, 32, "v2ui128", K_XSAVE, l->zmm, 32);
	add_row(s, F_AVX512, "xmm%u", 16, 32, 16, "vec128", K_XSAVE, l->zmm_hi16, 64);
	add_row(s, F_AVX512, "ymm%uh", 16, 32, 16, "uint128", K_XSAVE, l->zmm_hi16 + 16, 64);
	add_row(s, F_AVX512, "zmm%uh", 16, 32, 32, "v2ui128", K_XSAVE, l->zmm_hi16 + 32, 64);
}

void stub_regs_make(struct stub_regs *s, const struct debug_layout *l)
{
	s->n = 0;
	add_core(s);
	add_row(s, F_SSE, "xmm%u", 0, 16, 16, "vec128", K_XSAVE, X_XMM, 16);
	add(s, F_SSE, "mxcsr", 4, "i386_mxcsr", K_XSAVE, X_MXCSR);
	add(s, F_LINUX, "orig_rax", 8, "int", K_ORIG_RAX, 0);
	add(s, F_SEGMENTS, "fs_base", 8, "int", K_GENERAL, GREG_FS_BASE);
	add(s, F_SEGMENTS, "gs_base", 8, "int", K_GENERAL, GREG_GS_BASE);
	if (l->ymm)
		add_row(s, F_AVX, "ymm%uh", 0, 16, 16, "uint128", K_XSAVE, l->ymm, 16);
	if (l->opmask && l->zmm && l->zmm_hi16)
		add_avx512(s, l);
	if (l->pkru)
		add(s, F_PKEYS, "pkru", 4, "int", K_XSAVE, l->pkru);
}

/* ---- the description ---- */

static const char types[] =
	"<flags id=\"i386_eflags\" size=\"4\"><field name=\"\" start=\"22\" end=\"31\"/><field name=\"CF\" start=\"0\" end=\"0\"/>"
	"<field name=\"\" start=\"1\" end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
	"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
	"<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
	"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char vector_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
	"<field name=\"uint128\" type=\"uint128\"/></union>";

static const char mxcsr_type[] =
	"<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
	"<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
	"<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
	"<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
	"<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
	"</flags>";

static void put_feature(FILE *f, const struct stub_regs *s, unsigned feature)
{
	bool open = false;

	for (unsigned i = 0; i < s->n; i++) {
		const struct stub_reg *r = &s->reg[i];

		if (r->feature != feature)
			continue;
		if (!open) {
			fprintf(f, "<feature name=\"org.gnu.gdb.i386.%s\">", feature_name[feature]);
			fputs(feature == F_CORE ? types : feature == F_SSE || feature == F_AVX512 ? vector_types : "", f);
			fputs(feature == F_SSE ? mxcsr_type : feature == F_AVX512 ?
			      "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>" : "", f);
		}
		open = true;
		fprintf(f, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"/>", r->name, r->size * 8u, r->type, i);
	}
	if (open)
		fputs("</feature>", f);
}

char *stub_regs_xml(const struct stub_regs *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
	      "<architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>", f);
	for (unsigned i = 0; i < NFEATURES; i++)
		put_feature(f, s, i);
	fputs("</target>", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- values ---- */

static uint16_t word(const struct debug_regs *r, unsigned at)
{
	uint16_t v;

	memcpy(&v, r->xsave + at, 2);
	return v;
}

/* What a register of the x87 stack holds: 0 a number, 1 zero, 2 something special (SDM vol. 1, 8.1.7). */
static unsigned content(const uint8_t *st)
{
	unsigned exponent = (st[8] | st[9] << 8) & 0x7fff;
	bool integer = st[7] & 0x80, zero = true;

	for (unsigned i = 0; i < 8; i++)
		zero &= st[i] == 0;
	if (exponent == 0 && zero)
		return 1;
	return exponent == 0x7fff || exponent == 0 || !integer ? 2 : 0;
}

/* The image has one bit for each register, gdb wants two. */
static uint32_t full_tags(const struct debug_regs *r)
{
	unsigned top = word(r, X_FSW) >> 11 & 7;
	uint32_t tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		bool used = r->xsave[X_FTW] >> i & 1;

		tags |= (used ? content(r->xsave + X_ST + 16 * ((i + 8 - top) & 7)) : 3u) << 2 * i;
	}
	return tags;
}

static uint8_t short_tags(uint32_t tags)
{
	uint8_t bits = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tags >> 2 * i & 3) != 3)
			bits |= (uint8_t)(1u << i);
	return bits;
}

unsigned stub_reg_get(const struct stub_regs *s, unsigned n, const struct debug_regs *r, uint8_t buf[STUB_REG_SIZE])
{
	const struct stub_reg *g = &s->reg[n];
	uint32_t v = 0;

	switch (g->kind) {
	case K_GENERAL:
	case K_FLAGS:
		memcpy(buf, &r->r.r[g->at], g->size);
		return g->size;
	case K_ORIG_RAX:
		memcpy(buf, &r->orig_rax, 8);
		return 8;
	case K_ST:
	case K_XSAVE:
		memcpy(buf, r->xsave + g->at, g->size);
		return g->size;
	case K_SEGMENT:
		v = g->at;
		break;
	case K_TAGS:
		v = full_tags(r);
		break;
	case K_OFFSET:
		memcpy(&v, r->xsave + g->at, 4);
		break;
	case K_SELECTOR:
		v = word(r, g->at + 4u);
		break;
	case K_OPCODE:
		v = word(r, g->at) & 0x7ff;
		break;
	default: /* K_WORD16 */
		v = word(r, g->at);
	}
	memcpy(buf, &v, 4);
	return 4;
}

/* A part of the extended state that was in its initial state is not any more. */
static void mark_used(struct debug_regs *r, const struct stub_reg *g)
{
	static const uint64_t bits[NFEATURES] = { [F_CORE] = BV_X87, [F_SSE] = BV_SSE, [F_AVX] = BV_AVX | BV_SSE,
						  [F_AVX512] = BV_AVX512 | BV_AVX | BV_SSE, [F_PKEYS] = BV_PKRU };
	uint64_t bv;

	memcpy(&bv, r->xsave + X_BV, 8);
	bv |= bits[g->feature];
	memcpy(r->xsave + X_BV, &bv, 8);
}

bool stub_reg_set(const struct stub_regs *s, unsigned n, struct debug_regs *r, const uint8_t *buf)
{
	const struct stub_reg *g = &s->reg[n];
	uint32_t v;
	uint64_t flags = 0;

	memcpy(&v, buf, 4);
	switch (g->kind) {
	case K_GENERAL:
		memcpy(&r->r.r[g->at], buf, 8);
		return true;
	case K_FLAGS:
		memcpy(&flags, buf, 4);
		r->r.rflags = flags;
		return true;
	case K_SEGMENT:
		return v == g->at; /* there are no others */
	case K_ORIG_RAX:
		memcpy(&r->orig_rax, buf, 8);
		return true;
	case K_ST:
	case K_XSAVE:
		memcpy(r->xsave + g->at, buf, g->size);
		break;
	case K_TAGS:
		r->xsave[X_FTW] = short_tags(v);
		break;
	case K_OFFSET:
		memcpy(r->xsave + g->at, buf, 4);
		break;
	case K_SELECTOR:
		memcpy(r->xsave + g->at + 4, buf, 2);
		break;
	default:
		memcpy(r->xsave + g->at, buf, 2);
	}
	mark_used(r, g);
	return true;
}
