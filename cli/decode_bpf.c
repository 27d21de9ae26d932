/* The attr of bpf(2): which fields each command uses and what they mean. Contract: decode.h. */
#include <asm/unistd_64.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/decode.h"
#include "syscall-emu/bpf_abi.h"
#include "syscall-emu/names_sets.h"
#include "vmm/cleanup.h"

#define ATTR_SHOWN 256
#define LOG_SHOWN (1u << 20)
#define FIELDS_MAX 16

enum field_kind {
	F_END,
	F_U32, F_INT,      /* INT: a descriptor; 0 is one */
	F_U64, F_HEX,
	F_NAME,            /* char[16] */
	F_ENUM, F_FLAGS,   /* with names */
	F_STRING,          /* address of a string */
	F_BYTES,           /* address of bytes, read or written */
	F_ADDRESS
};
enum { ALWAYS = 1, RESULT = 2 }; /* shown when 0; shown after the call too, where it changed */

struct field {
	uint8_t kind, show;
	uint16_t offset;
	const char *name;
	const struct sys_names *names;
};

#define F(kind, show, type, member) { kind, show, offsetof(struct type, member), #member, NULL }
#define FN(kind, show, type, member, names) { kind, show, offsetof(struct type, member), #member, &(names) }

#define ELEM(...) { F(F_INT, ALWAYS, attr_elem, map_fd), __VA_ARGS__ }
#define KEY F(F_BYTES, 0, attr_elem, key)
#define VALUE F(F_BYTES, 0, attr_elem, value)
#define NEXT_KEY { F_BYTES, 0, offsetof(struct attr_elem, value), "next_key", NULL }
#define ELEM_FLAGS FN(F_ENUM, 0, attr_elem, flags, names_bpf_elem_flags)
#define BATCH \
	{ F(F_INT, ALWAYS, attr_batch, map_fd), F(F_U32, ALWAYS | RESULT, attr_batch, count), F(F_BYTES, 0, attr_batch, in_batch), \
	  F(F_BYTES, 0, attr_batch, out_batch), F(F_BYTES, 0, attr_batch, keys), F(F_BYTES, 0, attr_batch, values), \
	  F(F_HEX, 0, attr_batch, elem_flags), F(F_HEX, 0, attr_batch, flags) }
#define OBJ \
	{ F(F_STRING, ALWAYS, attr_obj, pathname), F(F_INT, ALWAYS, attr_obj, bpf_fd), F(F_HEX, 0, attr_obj, file_flags), \
	  F(F_INT, 0, attr_obj, path_fd) }
#define ATTACH \
	{ F(F_INT, ALWAYS, attr_attach, target_fd), F(F_INT, ALWAYS, attr_attach, attach_bpf_fd), \
	  FN(F_ENUM, ALWAYS, attr_attach, attach_type, names_bpf_attach_type), F(F_HEX, 0, attr_attach, attach_flags), \
	  F(F_INT, 0, attr_attach, replace_bpf_fd), F(F_U64, 0, attr_attach, expected_revision) }
#define NEXT_ID { { F_U32, ALWAYS, 0, "start_id", NULL }, F(F_U32, RESULT, attr_by_id, next_id) }
#define BY_ID { F(F_U32, ALWAYS, attr_by_id, id), F(F_HEX, 0, attr_by_id, open_flags), F(F_INT, 0, attr_by_id, token_fd) }

static const struct field commands[CMD_COUNT][FIELDS_MAX] = {
	[CMD_MAP_CREATE] = {
		FN(F_ENUM, ALWAYS, attr_map_create, map_type, names_bpf_map_type), F(F_U32, ALWAYS, attr_map_create, key_size),
		F(F_U32, ALWAYS, attr_map_create, value_size), F(F_U32, ALWAYS, attr_map_create, max_entries),
		FN(F_FLAGS, 0, attr_map_create, map_flags, names_bpf_map_flags), F(F_INT, 0, attr_map_create, inner_map_fd),
		F(F_U32, 0, attr_map_create, numa_node), F(F_NAME, 0, attr_map_create, map_name),
		F(F_INT, 0, attr_map_create, btf_fd), F(F_U32, 0, attr_map_create, btf_key_type_id),
		F(F_U32, 0, attr_map_create, btf_value_type_id), F(F_U32, 0, attr_map_create, btf_vmlinux_value_type_id),
		F(F_HEX, 0, attr_map_create, map_extra), F(F_INT, 0, attr_map_create, map_token_fd) },
	[CMD_MAP_LOOKUP_ELEM] = ELEM(KEY, VALUE, ELEM_FLAGS),
	[CMD_MAP_UPDATE_ELEM] = ELEM(KEY, VALUE, ELEM_FLAGS),
	[CMD_MAP_DELETE_ELEM] = ELEM(KEY),
	[CMD_MAP_GET_NEXT_KEY] = ELEM(KEY, NEXT_KEY),
	[CMD_MAP_LOOKUP_AND_DELETE_ELEM] = ELEM(KEY, VALUE, ELEM_FLAGS),
	[CMD_MAP_FREEZE] = ELEM({ 0 }),
	[CMD_PROG_LOAD] = {
		FN(F_ENUM, ALWAYS, attr_prog_load, prog_type, names_bpf_prog_type), F(F_NAME, 0, attr_prog_load, prog_name),
		F(F_U32, ALWAYS, attr_prog_load, insn_cnt), F(F_STRING, ALWAYS, attr_prog_load, license),
		FN(F_ENUM, 0, attr_prog_load, expected_attach_type, names_bpf_attach_type),
		FN(F_FLAGS, 0, attr_prog_load, prog_flags, names_bpf_prog_flags), F(F_U32, 0, attr_prog_load, attach_btf_id),
		F(F_INT, 0, attr_prog_load, attach_prog_fd), F(F_INT, 0, attr_prog_load, prog_btf_fd),
		F(F_U32, 0, attr_prog_load, func_info_cnt), F(F_U32, 0, attr_prog_load, core_relo_cnt),
		F(F_U32, 0, attr_prog_load, log_level), F(F_U32, 0, attr_prog_load, log_size),
		F(F_U32, RESULT, attr_prog_load, log_true_size), F(F_INT, 0, attr_prog_load, prog_token_fd) },
	[CMD_OBJ_PIN] = OBJ,
	[CMD_OBJ_GET] = OBJ,
	[CMD_PROG_ATTACH] = ATTACH,
	[CMD_PROG_DETACH] = ATTACH,
	[CMD_PROG_TEST_RUN] = {
		F(F_INT, ALWAYS, attr_test_run, prog_fd), F(F_U32, RESULT, attr_test_run, retval),
		F(F_BYTES, 0, attr_test_run, data_in), F(F_U32, 0, attr_test_run, data_size_in),
		F(F_BYTES, 0, attr_test_run, data_out), F(F_U32, RESULT, attr_test_run, data_size_out),
		F(F_U32, 0, attr_test_run, repeat), F(F_U32, RESULT, attr_test_run, duration),
		F(F_BYTES, 0, attr_test_run, ctx_in), F(F_U32, 0, attr_test_run, ctx_size_in),
		F(F_BYTES, 0, attr_test_run, ctx_out), F(F_U32, RESULT, attr_test_run, ctx_size_out),
		F(F_HEX, 0, attr_test_run, flags), F(F_U32, 0, attr_test_run, cpu), F(F_U32, 0, attr_test_run, batch_size) },
	[CMD_PROG_GET_NEXT_ID] = NEXT_ID,
	[CMD_MAP_GET_NEXT_ID] = NEXT_ID,
	[CMD_BTF_GET_NEXT_ID] = NEXT_ID,
	[CMD_LINK_GET_NEXT_ID] = NEXT_ID,
	[CMD_PROG_GET_FD_BY_ID] = BY_ID,
	[CMD_MAP_GET_FD_BY_ID] = BY_ID,
	[CMD_BTF_GET_FD_BY_ID] = BY_ID,
	[CMD_LINK_GET_FD_BY_ID] = BY_ID,
	[CMD_OBJ_GET_INFO_BY_FD] = {
		F(F_INT, ALWAYS, attr_info, bpf_fd), F(F_U32, ALWAYS | RESULT, attr_info, info_len), F(F_BYTES, 0, attr_info, info) },
	[CMD_PROG_QUERY] = {
		F(F_INT, ALWAYS, attr_query, target_fd), FN(F_ENUM, ALWAYS, attr_query, attach_type, names_bpf_attach_type),
		F(F_HEX, 0, attr_query, query_flags), F(F_HEX, RESULT, attr_query, attach_flags),
		F(F_BYTES, 0, attr_query, prog_ids), F(F_U32, ALWAYS | RESULT, attr_query, count),
		F(F_BYTES, 0, attr_query, prog_attach_flags), F(F_BYTES, 0, attr_query, link_ids),
		F(F_U64, RESULT, attr_query, revision) },
	[CMD_RAW_TRACEPOINT_OPEN] = {
		F(F_STRING, ALWAYS, attr_raw_tracepoint, name), F(F_INT, ALWAYS, attr_raw_tracepoint, prog_fd),
		F(F_HEX, 0, attr_raw_tracepoint, cookie) },
	[CMD_BTF_LOAD] = {
		F(F_ADDRESS, ALWAYS, attr_btf_load, btf), F(F_U32, ALWAYS, attr_btf_load, btf_size),
		F(F_U32, 0, attr_btf_load, log_level), F(F_U32, 0, attr_btf_load, log_size),
		F(F_U32, RESULT, attr_btf_load, log_true_size), F(F_HEX, 0, attr_btf_load, flags),
		F(F_INT, 0, attr_btf_load, token_fd) },
	[CMD_TASK_FD_QUERY] = {
		F(F_U32, ALWAYS, attr_task_fd_query, pid), F(F_INT, ALWAYS, attr_task_fd_query, fd),
		F(F_BYTES, 0, attr_task_fd_query, buf), F(F_U32, ALWAYS | RESULT, attr_task_fd_query, buf_len),
		F(F_U32, RESULT, attr_task_fd_query, prog_id), F(F_U32, RESULT, attr_task_fd_query, fd_type),
		F(F_HEX, RESULT, attr_task_fd_query, probe_offset), F(F_HEX, RESULT, attr_task_fd_query, probe_addr) },
	[CMD_MAP_LOOKUP_BATCH] = BATCH,
	[CMD_MAP_LOOKUP_AND_DELETE_BATCH] = BATCH,
	[CMD_MAP_UPDATE_BATCH] = BATCH,
	[CMD_MAP_DELETE_BATCH] = BATCH,
	[CMD_LINK_CREATE] = {
		F(F_INT, ALWAYS, attr_link_create, prog_fd), F(F_INT, ALWAYS, attr_link_create, target_fd),
		FN(F_ENUM, ALWAYS, attr_link_create, attach_type, names_bpf_attach_type), F(F_HEX, 0, attr_link_create, flags) },
	[CMD_LINK_UPDATE] = {
		F(F_INT, ALWAYS, attr_link_update, link_fd), F(F_INT, ALWAYS, attr_link_update, new_fd),
		F(F_HEX, 0, attr_link_update, flags), F(F_INT, 0, attr_link_update, old_fd) },
	[CMD_ENABLE_STATS] = { { F_U32, ALWAYS, 0, "type", NULL } },
	[CMD_ITER_CREATE] = { { F_INT, ALWAYS, 0, "link_fd", NULL }, { F_HEX, 0, 4, "flags", NULL } },
	[CMD_LINK_DETACH] = { { F_INT, ALWAYS, 0, "link_fd", NULL } },
	[CMD_PROG_BIND_MAP] = {
		F(F_INT, ALWAYS, attr_bind_map, prog_fd), F(F_INT, ALWAYS, attr_bind_map, map_fd), F(F_HEX, 0, attr_bind_map, flags) },
	[CMD_TOKEN_CREATE] = { F(F_HEX, 0, attr_token_create, flags), F(F_INT, ALWAYS, attr_token_create, bpffs_fd) },
	[CMD_PROG_STREAM_READ_BY_FD] = {
		F(F_INT, ALWAYS, attr_stream_read, prog_fd), F(F_U32, ALWAYS, attr_stream_read, stream_id),
		F(F_BYTES, ALWAYS, attr_stream_read, buf), F(F_U32, ALWAYS, attr_stream_read, buf_len) },
	[CMD_PROG_ASSOC_STRUCT_OPS] = { /* the same three as for BIND_MAP, the first two the other way round */
		{ F_INT, ALWAYS, 0, "map_fd", NULL }, { F_INT, ALWAYS, 4, "prog_fd", NULL }, { F_HEX, 0, 8, "flags", NULL } },
};

static unsigned width(const struct field *f)
{
	switch (f->kind) {
	case F_U32:
	case F_INT:
	case F_ENUM:
	case F_FLAGS:
		return f->names == &names_bpf_elem_flags ? 8 : 4;
	case F_HEX:
		return !strcmp(f->name, "cookie") || !strcmp(f->name, "map_extra") || !strncmp(f->name, "probe_", 6) ? 8 : 4;
	case F_NAME:
		return 16;
	default:
		return 8;
	}
}

static void put_address(FILE *out, const struct call *c, const struct field *f, uint64_t addr)
{
	char text[256];
	uint32_t kind = memory_length(c->mem, addr, DATA_MEMORY) ? DATA_MEMORY : DATA_INPUT;
	size_t n, len;

	if (f->kind == F_STRING) {
		n = memory_get(c->mem, addr, DATA_INPUT, text, sizeof(text));
		len = strnlen(text, n);
		if (addr && n)
			decode_quoted(out, text, len, len == n);
		else
			decode_address(out, addr);
		return;
	}
	n = f->kind == F_BYTES && addr ? memory_length(c->mem, addr, kind) : 0;
	if (n)
		decode_bytes(out, c, addr, kind, n);
	else
		decode_address(out, addr);
}

static void put_field(FILE *out, const struct call *c, const struct field *f, const char *at)
{
	char buf[512];
	uint64_t v = 0;

	memcpy(&v, at, width(f) < 8 ? width(f) : 8);
	switch (f->kind) {
	case F_NAME:
		decode_quoted(out, at, strnlen(at, 16), false);
		return;
	case F_INT:
		fprintf(out, "%d", (int)v);
		return;
	case F_ENUM:
	case F_FLAGS:
		names_format(f->names, v, buf, sizeof(buf));
		fputs(buf, out);
		return;
	case F_HEX:
		fprintf(out, v ? "%#" PRIx64 : "0", v);
		return;
	case F_STRING:
	case F_BYTES:
	case F_ADDRESS:
		put_address(out, c, f, v);
		return;
	default:
		fprintf(out, "%" PRIu64, v);
	}
}

static bool all_zero(const char *at, size_t n)
{
	while (n--)
		if (*at++)
			return false;
	return true;
}

bool decode_bpf(FILE *out, const struct call *c, unsigned i)
{
	char before[ATTR_SHOWN + 16] = { 0 }, after[ATTR_SHOWN + 16];
	uint64_t size = (uint32_t)c->arg[2], addr = c->arg[1];
	bool first = true;

	if (i != 1 || c->row->key >= CMD_COUNT || memory_get(c->mem, addr, DATA_INPUT, before, size < ATTR_SHOWN ? size : ATTR_SHOWN) == 0)
		return false;
	memcpy(after, before, sizeof(after));
	for (size_t k = 0; k < ATTR_SHOWN; k++) {
		char byte;

		if (k < size && memory_get(c->mem, addr + k, DATA_MEMORY, &byte, 1) == 1)
			after[k] = byte;
	}
	fputc('{', out);
	for (const struct field *f = commands[c->row->key]; f < commands[c->row->key] + FIELDS_MAX && f->kind; f++) {
		const char *was = before + f->offset, *is = after + f->offset;
		bool changed = f->show & RESULT && memcmp(was, is, width(f));

		if (f->offset + width(f) > size || (!(f->show & ALWAYS) && !changed && all_zero(was, width(f))))
			continue;
		fprintf(out, "%s%s=", first ? "" : ", ", f->name);
		first = false;
		put_field(out, c, f, was);
		if (changed) {
			fputs(" => ", out);
			put_field(out, c, f, is);
		}
	}
	fputc('}', out);
	return true;
}

/* ---- the log ---- */

static uint64_t log_address(const struct call *c)
{
	size_t at = c->row->key == CMD_PROG_LOAD ? offsetof(struct attr_prog_load, log_buf) : offsetof(struct attr_btf_load, log_buf);
	uint64_t addr;

	return memory_get(c->mem, c->arg[1] + at, DATA_INPUT, &addr, sizeof(addr)) == sizeof(addr) ? addr : 0;
}

/* Whatever is in it: what is not printable becomes an escape. */
static void put_line(FILE *out, const char *s, size_t len)
{
	fputs("\n    | ", out);
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)s[i] >= 0x20 && s[i] != 0x7f) || s[i] == '\t')
			fputc(s[i], out);
		else
			fprintf(out, "\\%03o", (unsigned char)s[i]);
}

char *decode_log(const struct call *c, size_t *len)
{
	uint64_t addr;
	char *log;
	size_t n;

	*len = 0;
	if (!c->row || c->nr != __NR_bpf || (c->row->key != CMD_PROG_LOAD && c->row->key != CMD_BTF_LOAD) || !c->variant)
		return NULL;
	addr = log_address(c);
	log = addr ? malloc(LOG_SHOWN) : NULL;
	n = log ? memory_get(c->mem, addr, DATA_MEMORY, log, LOG_SHOWN) : 0;
	*len = n ? strnlen(log, n) : 0;
	return log;
}

void decode_text(FILE *out, const struct call *c)
{
	size_t n;
	cleanup_free char *log = decode_log(c, &n);

	for (size_t at = 0; at < n;) {
		const char *end = memchr(log + at, '\n', n - at);
		size_t len = end ? (size_t)(end - log) - at : n - at;

		put_line(out, log + at, len);
		at += len + 1;
	}
}
