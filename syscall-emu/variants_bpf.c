/*
 * The commands of bpf(2). Each row names the pointers in the attr; the attr itself is copied in once, and what the kernel
 * writes into it is the handler's (bpf.h). Sizes that only the object behind a descriptor knows are asked for.
 *
 * Not followed, as the kernel only reads there: symbol names of kprobe_multi, descriptors in a fd_array without a count.
 *
 * Source: Linux include/uapi/linux/bpf.h, kernel/bpf/syscall.c, kernel/bpf/log.c, net/bpf/test_run.c.
 */
#include <stddef.h>
#include <string.h>

#include "syscall-emu/bpf.h"
#include "syscall-emu/bpf_abi.h"
#include "syscall-emu/bpf_object.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/task.h"
#include "syscall-emu/variants.h"

#define UNSIZED_OUTPUT (1 << 20) /* a test run's output when no size is given: more than a packet can be */
#define OBJ_PATH_MAX 4096
#define NAME_MAX_128 128         /* licences and names of raw tracepoints are cut to this */

/* A field of an object that may be shorter, with zeros behind its end (plan.c). */
static uint32_t u32_at(uint64_t object, size_t offset)
{
	uint32_t v;

	memcpy(&v, (const char *)(uintptr_t)object + offset, sizeof(v));
	return v;
}

static uint64_t u64_at(uint64_t object, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)(uintptr_t)object + offset, sizeof(v));
	return v;
}

/* ---- the attr itself ---- */

static int64_t len_attr(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t size = (uint32_t)p->arg[2];

	(void)m, (void)parent, (void)ret;
	bpf_call_begin(t);
	return size > ATTR_SIZE_MAX ? -E2BIG : (int64_t)size;
}

static int64_t len_common(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t size = (uint32_t)p->arg[4];

	(void)t, (void)m, (void)parent, (void)ret;
	if (!(p->arg[0] & CMD_COMMON_ATTRS))
		return LEN_ABSENT;
	return size > ATTR_SIZE_MAX ? -E2BIG : (int64_t)size;
}

/* ---- logs ---- */

/*
 * Bytes of the log buffer that the verifier wrote: the longest the log ever was, with its NUL, even if it was cut back
 * since. Kernels before 6.4 do not say, nor do calls that failed before they had a log: then it may be all of it.
 */
static int64_t log_written(uint32_t true_size, uint32_t size)
{
	return true_size && true_size < size ? true_size : size;
}

static int64_t got_prog_log(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)p, (void)m, (void)ret;
	return log_written(u32_at(parent, offsetof(struct attr_prog_load, log_true_size)),
			   u32_at(parent, offsetof(struct attr_prog_load, log_size)));
}

static int64_t got_btf_log(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)p, (void)m, (void)ret;
	return log_written(u32_at(parent, offsetof(struct attr_btf_load, log_true_size)),
			   u32_at(parent, offsetof(struct attr_btf_load, log_size)));
}

static int64_t got_common_log(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
			      int64_t ret)
{
	(void)t, (void)p, (void)m, (void)ret;
	return log_written(u32_at(parent, offsetof(struct attr_common, log_true_size)),
			   u32_at(parent, offsetof(struct attr_common, log_size)));
}

static const struct sys_mem common_mem[] = {
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_common, log_buf),
	  .cap = FIELD(struct attr_common, log_size), .got = LENFN(got_common_log) },
	{ .dir = 0 }
};

/* ---- map elements ---- */

static const struct bpf_object *elem_map(struct task *t, uint64_t attr)
{
	return bpf_call_object(t, (int)u32_at(attr, offsetof(struct attr_elem, map_fd)));
}

static int64_t len_key(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)p, (void)m, (void)ret;
	return elem_map(t, parent)->key_size;
}

static int64_t len_value(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)p, (void)m, (void)ret;
	return (int64_t)bpf_value_size(elem_map(t, parent), u64_at(parent, offsetof(struct attr_elem, flags)));
}

static const struct bpf_object *batch_map(struct task *t, uint64_t attr)
{
	return bpf_call_object(t, (int)u32_at(attr, offsetof(struct attr_batch, map_fd)));
}

static int64_t times(uint64_t count, uint64_t size)
{
	uint64_t v;

	return __builtin_mul_overflow(count, size, &v) || v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t len_position(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)p, (void)m, (void)ret;
	return (int64_t)bpf_batch_size(batch_map(t, parent));
}

static uint64_t piece_size(struct task *t, const struct sys_mem *m, uint64_t attr)
{
	const struct bpf_object *o = batch_map(t, attr);

	if (m->off == offsetof(struct attr_batch, keys))
		return o->key_size;
	return bpf_value_size(o, u64_at(attr, offsetof(struct attr_batch, elem_flags)));
}

static int64_t len_batch(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)p, (void)ret;
	return times(u32_at(parent, offsetof(struct attr_batch, count)), piece_size(t, m, parent));
}

/*
 * The count says how far a batch came when it succeeds or meets the map's end (ENOENT). After any other error there may be
 * more in the buffers than it says.
 */
static int64_t got_batch(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	return ret < 0 && ret != -ENOENT ? INT64_MAX : len_batch(t, p, m, parent, ret);
}

#define KEY(d) { .dir = (d), .off = offsetof(struct attr_elem, key), .cap = LENFN(len_key) }
#define VALUE(d) { .dir = (d), .off = offsetof(struct attr_elem, value), .cap = LENFN(len_value) }
#define NEXT_KEY { .dir = MEM_OUT, .off = offsetof(struct attr_elem, value), .cap = LENFN(len_key) }
#define POSITIONS \
	{ .dir = MEM_IN, .off = offsetof(struct attr_batch, in_batch), .cap = LENFN(len_position) }, \
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_batch, out_batch), .cap = LENFN(len_position) }
#define BATCH_IN(field) { .dir = MEM_IN, .off = offsetof(struct attr_batch, field), .cap = LENFN(len_batch) }
#define BATCH_OUT(field) \
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_batch, field), .cap = LENFN(len_batch), \
	  .got = LENFN(got_batch) }

/* ---- programs ---- */

static int64_t len_insns(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)p, (void)m, (void)ret;
	return times(u32_at(parent, offsetof(struct attr_prog_load, insn_cnt)), 8);
}

static int64_t len_records(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	(void)t, (void)p, (void)ret;
	switch (m->off) {
	case offsetof(struct attr_prog_load, func_info):
		return times(u32_at(parent, offsetof(struct attr_prog_load, func_info_cnt)),
			     u32_at(parent, offsetof(struct attr_prog_load, func_info_rec_size)));
	case offsetof(struct attr_prog_load, line_info):
		return times(u32_at(parent, offsetof(struct attr_prog_load, line_info_cnt)),
			     u32_at(parent, offsetof(struct attr_prog_load, line_info_rec_size)));
	case offsetof(struct attr_prog_load, core_relos):
		return times(u32_at(parent, offsetof(struct attr_prog_load, core_relo_cnt)),
			     u32_at(parent, offsetof(struct attr_prog_load, core_relo_rec_size)));
	default: /* fd_array: without a count the instructions say which are looked at */
		return times(u32_at(parent, offsetof(struct attr_prog_load, fd_array_cnt)), 4);
	}
}

#define RECORDS(field) { .dir = MEM_IN, .off = offsetof(struct attr_prog_load, field), .cap = LENFN(len_records) }

static const struct sys_mem prog_load_mem[] = {
	{ .dir = MEM_IN, .off = offsetof(struct attr_prog_load, insns), .cap = LENFN(len_insns) },
	{ .dir = MEM_IN, .off = offsetof(struct attr_prog_load, license), .cap = CSTR(NAME_MAX_128) },
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_prog_load, log_buf),
	  .cap = FIELD(struct attr_prog_load, log_size), .got = LENFN(got_prog_log) },
	RECORDS(func_info),
	RECORDS(line_info),
	RECORDS(fd_array),
	RECORDS(core_relos),
	{ .dir = MEM_IN, .off = offsetof(struct attr_prog_load, signature),
	  .cap = FIELD(struct attr_prog_load, signature_size) },
	{ .dir = 0 }
};

static const struct sys_mem btf_load_mem[] = {
	{ .dir = MEM_IN, .off = offsetof(struct attr_btf_load, btf), .cap = FIELD(struct attr_btf_load, btf_size) },
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_btf_load, log_buf),
	  .cap = FIELD(struct attr_btf_load, log_size), .got = LENFN(got_btf_log) },
	{ .dir = 0 }
};

/* Without a size the whole packet is given, which is not larger than the packet put in by more than a packet. */
static int64_t len_data_out(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t size = u32_at(parent, offsetof(struct attr_test_run, data_size_out));

	(void)t, (void)p, (void)m, (void)ret;
	return size ? size : UNSIZED_OUTPUT + (int64_t)u32_at(parent, offsetof(struct attr_test_run, data_size_in));
}

/* A program of type SYSCALL gets the context as its own memory, and it is copied back to where it came from. */
static const struct sys_mem test_run_mem[] = {
	{ .dir = MEM_IN, .off = offsetof(struct attr_test_run, data_in),
	  .cap = FIELD(struct attr_test_run, data_size_in) },
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_test_run, data_out),
	  .cap = LENFN(len_data_out), .got = FIELD(struct attr_test_run, data_size_out) },
	{ .dir = MEM_INOUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_test_run, ctx_in),
	  .cap = FIELD(struct attr_test_run, ctx_size_in) },
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_test_run, ctx_out),
	  .cap = FIELD(struct attr_test_run, ctx_size_out), .got = FIELD(struct attr_test_run, ctx_size_out) },
	{ .dir = 0 }
};

/* Four bytes for each of count; when there were more (ENOSPC) the new count is larger than the room. */
#define COUNT4 { .op = LEN_FIELD, .off = offsetof(struct attr_query, count), .width = 4, .scale = 4 }
#define LIST(field) \
	{ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_query, field), .cap = COUNT4, .got = COUNT4 }

static const struct sys_mem query_mem[] = {
	LIST(prog_ids), LIST(prog_attach_flags), LIST(link_ids), LIST(link_attach_flags), { .dir = 0 }
};

/* ---- links ---- */

static bool any_of(uint32_t type, uint32_t a, uint32_t b)
{
	return type == a || type == b;
}

/* What follows the flags depends on the attach type: pointers with a count, or plain numbers. */
static int64_t len_link(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t type = u32_at(parent, offsetof(struct attr_link_create, attach_type));
	uint64_t knum = u32_at(parent, offsetof(struct attr_link_create, kprobe_multi.cnt));
	uint64_t unum = u32_at(parent, offsetof(struct attr_link_create, uprobe_multi.cnt));

	(void)t, (void)p, (void)ret;
	if (type == ATTACH_ITER && m->off == offsetof(struct attr_link_create, iter.info))
		return u32_at(parent, offsetof(struct attr_link_create, iter.info_len));
	if (any_of(type, ATTACH_KPROBE_MULTI, ATTACH_KPROBE_SESSION) &&
	    m->off >= offsetof(struct attr_link_create, kprobe_multi.syms))
		return m->off <= offsetof(struct attr_link_create, kprobe_multi.cookies) ? times(knum, 8) : LEN_ABSENT;
	if (!any_of(type, ATTACH_UPROBE_MULTI, ATTACH_UPROBE_SESSION))
		return LEN_ABSENT;
	if (m->off == offsetof(struct attr_link_create, uprobe_multi.path))
		return OBJ_PATH_MAX;
	return m->off <= offsetof(struct attr_link_create, uprobe_multi.cookies) ? times(unum, 8) : LEN_ABSENT;
}

#define LINK_POINTER(at) { .dir = MEM_IN, .off = (at), .cap = LENFN(len_link) }
static const struct sys_mem link_create_mem[] = {
	LINK_POINTER(16), LINK_POINTER(24), LINK_POINTER(32), LINK_POINTER(40), { .dir = 0 }
};
_Static_assert(offsetof(struct attr_link_create, uprobe_multi.path) == 16 &&
	       offsetof(struct attr_link_create, kprobe_multi.cookies) == 40, "the kernel's layout");

/* ---- info structures ---- */

/* A pointer in the info of one kind of object, where its count is, and how large each is. */
static const struct info_pointer {
	uint8_t kind, link, perf_from, perf_to; /* type of link, if the kind is that; and kinds of a perf event link */
	uint16_t pointer, count;
	uint32_t size;
} info_pointers[] = {
	{ BPF_OBJECT_PROG, 0, 0, 0, 24, 16, 1 },    /* jited_prog_insns */
	{ BPF_OBJECT_PROG, 0, 0, 0, 32, 20, 1 },    /* xlated_prog_insns */
	{ BPF_OBJECT_PROG, 0, 0, 0, 56, 52, 4 },    /* map_ids */
	{ BPF_OBJECT_PROG, 0, 0, 0, 112, 104, 8 },  /* jited_ksyms */
	{ BPF_OBJECT_PROG, 0, 0, 0, 120, 108, 4 },  /* jited_func_lens */
	{ BPF_OBJECT_PROG, 0, 0, 0, 136, 144, 8 },  /* func_info: other record sizes than the kernel's are EINVAL */
	{ BPF_OBJECT_PROG, 0, 0, 0, 152, 148, 16 }, /* line_info */
	{ BPF_OBJECT_PROG, 0, 0, 0, 160, 168, 8 },  /* jited_line_info */
	{ BPF_OBJECT_PROG, 0, 0, 0, 184, 180, 8 },  /* prog_tags */
	{ BPF_OBJECT_MAP, 0, 0, 0, 88, 96, 1 },     /* hash */
	{ BPF_OBJECT_BTF, 0, 0, 0, 0, 8, 1 },       /* btf */
	{ BPF_OBJECT_BTF, 0, 0, 0, 16, 24, 1 },     /* name */
	{ BPF_OBJECT_LINK, BPFLINK_RAW_TRACEPOINT, 0, 0, 16, 24, 1 },
	{ BPF_OBJECT_LINK, BPFLINK_ITER, 0, 0, 16, 24, 1 },
	{ BPF_OBJECT_LINK, BPFLINK_KPROBE_MULTI, 0, 0, 16, 24, 8 },
	{ BPF_OBJECT_LINK, BPFLINK_KPROBE_MULTI, 0, 0, 40, 24, 8 },
	{ BPF_OBJECT_LINK, BPFLINK_UPROBE_MULTI, 0, 0, 16, 48, 1 },
	{ BPF_OBJECT_LINK, BPFLINK_UPROBE_MULTI, 0, 0, 24, 52, 8 },
	{ BPF_OBJECT_LINK, BPFLINK_UPROBE_MULTI, 0, 0, 32, 52, 8 },
	{ BPF_OBJECT_LINK, BPFLINK_UPROBE_MULTI, 0, 0, 40, 52, 8 },
	{ BPF_OBJECT_LINK, BPFLINK_PERF_EVENT, BPFLINK_PERF_UPROBE, BPFLINK_PERF_TRACEPOINT, 24, 32, 1 },
};

static bool describes(const struct info_pointer *i, const struct bpf_object *o)
{
	return i->kind == o->kind && (o->kind != BPF_OBJECT_LINK || i->link == o->type) &&
	       (!i->perf_to || (o->perf_type >= i->perf_from && o->perf_type <= i->perf_to));
}

static int64_t len_info_pointer(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent,
				int64_t ret)
{
	const struct bpf_object *o = &t->bpf.object;

	(void)p, (void)ret;
	for (size_t i = 0; i < sizeof(info_pointers) / sizeof(info_pointers[0]); i++)
		if (info_pointers[i].pointer == m->off && describes(&info_pointers[i], o))
			return times(u32_at(parent, info_pointers[i].count), info_pointers[i].size);
	return LEN_ABSENT;
}

/* Asked about here, before the pointers inside are looked for. */
static int64_t len_info(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret)
{
	uint32_t size = u32_at(parent, offsetof(struct attr_info, info_len));

	(void)p, (void)m, (void)ret;
	bpf_call_object(t, (int)u32_at(parent, offsetof(struct attr_info, bpf_fd)));
	return size > ATTR_SIZE_MAX ? -E2BIG : (int64_t)size;
}

#define INFO_POINTER(at) { .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = (at), .cap = LENFN(len_info_pointer) }
static const struct sys_mem info_mem[] = {
	INFO_POINTER(0), INFO_POINTER(16), INFO_POINTER(24), INFO_POINTER(32), INFO_POINTER(40), INFO_POINTER(56),
	INFO_POINTER(88), INFO_POINTER(112), INFO_POINTER(120), INFO_POINTER(136), INFO_POINTER(152), INFO_POINTER(160),
	INFO_POINTER(184), { .dir = 0 }
};

/* ---- the rows ---- */

#define ATTR_AND(pointers) \
	.mem = MEM({ .dir = MEM_IN, .arg = 1, .flags = MEM_COPY, .cap = LENFN(len_attr), .sub = (pointers) }, \
		   { .dir = MEM_IN, .arg = 3, .flags = MEM_COPY, .cap = LENFN(len_common), .sub = common_mem })
#define COMMAND(cmd) \
	.name = "bpf$BPF_" #cmd, .key = CMD_##cmd, .nargs = 5, .arg = { A_CMD, A_PTR, A_UINT, A_PTR, A_UINT }, .emulate = do_bpf
#define POINTERS(...) ATTR_AND(MEM(__VA_ARGS__))
#define NO_POINTERS ATTR_AND(NULL)
#define STRING(type, field, max) { .dir = MEM_IN, .off = offsetof(struct type, field), .cap = CSTR(max) }
#define NEW_FD .ret = RET_FD

const struct sys_desc bpf_variants[] = {
	{ COMMAND(MAP_CREATE), NEW_FD,
	  POINTERS({ .dir = MEM_IN, .off = offsetof(struct attr_map_create, excl_prog_hash),
		     .cap = FIELD(struct attr_map_create, excl_prog_hash_size) }) },
	{ COMMAND(MAP_LOOKUP_ELEM), ZERO, POINTERS(KEY(MEM_IN), VALUE(MEM_OUT)) },
	{ COMMAND(MAP_UPDATE_ELEM), ZERO, POINTERS(KEY(MEM_IN), VALUE(MEM_IN)) },
	{ COMMAND(MAP_DELETE_ELEM), ZERO, POINTERS(KEY(MEM_IN)) },
	{ COMMAND(MAP_GET_NEXT_KEY), ZERO, POINTERS(KEY(MEM_IN), NEXT_KEY) },
	{ COMMAND(PROG_LOAD), NEW_FD, ATTR_AND(prog_load_mem) },
	{ COMMAND(OBJ_PIN), ZERO, POINTERS(STRING(attr_obj, pathname, OBJ_PATH_MAX)) },
	{ COMMAND(OBJ_GET), NEW_FD, POINTERS(STRING(attr_obj, pathname, OBJ_PATH_MAX)) },
	{ COMMAND(PROG_ATTACH), ZERO, NO_POINTERS },
	{ COMMAND(PROG_DETACH), ZERO, NO_POINTERS },
	{ COMMAND(PROG_TEST_RUN), ZERO, ATTR_AND(test_run_mem) },
	{ COMMAND(PROG_GET_NEXT_ID), ZERO, NO_POINTERS },
	{ COMMAND(MAP_GET_NEXT_ID), ZERO, NO_POINTERS },
	{ COMMAND(PROG_GET_FD_BY_ID), NEW_FD, NO_POINTERS },
	{ COMMAND(MAP_GET_FD_BY_ID), NEW_FD, NO_POINTERS },
	{ COMMAND(OBJ_GET_INFO_BY_FD), ZERO,
	  POINTERS({ .dir = MEM_INOUT, .off = offsetof(struct attr_info, info), .cap = LENFN(len_info),
		     .got = FIELD(struct attr_info, info_len), .sub = info_mem }) },
	{ COMMAND(PROG_QUERY), ZERO, ATTR_AND(query_mem) },
	{ COMMAND(RAW_TRACEPOINT_OPEN), NEW_FD, POINTERS(STRING(attr_raw_tracepoint, name, NAME_MAX_128)) },
	{ COMMAND(BTF_LOAD), NEW_FD, ATTR_AND(btf_load_mem) },
	{ COMMAND(BTF_GET_FD_BY_ID), NEW_FD, NO_POINTERS },
	{ COMMAND(TASK_FD_QUERY), ZERO,
	  POINTERS({ .dir = MEM_OUT, .flags = MEM_ON_ERROR, .off = offsetof(struct attr_task_fd_query, buf),
		     .cap = FIELD(struct attr_task_fd_query, buf_len) }) },
	{ COMMAND(MAP_LOOKUP_AND_DELETE_ELEM), ZERO, POINTERS(KEY(MEM_IN), VALUE(MEM_OUT)) },
	{ COMMAND(MAP_FREEZE), ZERO, NO_POINTERS },
	{ COMMAND(BTF_GET_NEXT_ID), ZERO, NO_POINTERS },
	{ COMMAND(MAP_LOOKUP_BATCH), ZERO, POINTERS(POSITIONS, BATCH_OUT(keys), BATCH_OUT(values)) },
	{ COMMAND(MAP_LOOKUP_AND_DELETE_BATCH), ZERO, POINTERS(POSITIONS, BATCH_OUT(keys), BATCH_OUT(values)) },
	{ COMMAND(MAP_UPDATE_BATCH), ZERO, POINTERS(BATCH_IN(keys), BATCH_IN(values)) },
	{ COMMAND(MAP_DELETE_BATCH), ZERO, POINTERS(BATCH_IN(keys)) },
	{ COMMAND(LINK_CREATE), NEW_FD, ATTR_AND(link_create_mem) },
	{ COMMAND(LINK_UPDATE), ZERO, NO_POINTERS },
	{ COMMAND(LINK_GET_FD_BY_ID), NEW_FD, NO_POINTERS },
	{ COMMAND(LINK_GET_NEXT_ID), ZERO, NO_POINTERS },
	{ COMMAND(ENABLE_STATS), NEW_FD, NO_POINTERS },
	{ COMMAND(ITER_CREATE), NEW_FD, NO_POINTERS },
	{ COMMAND(LINK_DETACH), ZERO, NO_POINTERS },
	{ COMMAND(PROG_BIND_MAP), ZERO, NO_POINTERS },
	{ COMMAND(TOKEN_CREATE), NEW_FD, NO_POINTERS },
	{ COMMAND(PROG_STREAM_READ_BY_FD), .ret = RET_LEN,
	  POINTERS({ .dir = MEM_OUT, .off = offsetof(struct attr_stream_read, buf),
		     .cap = FIELD(struct attr_stream_read, buf_len), .got = RETVAL }) },
	{ COMMAND(PROG_ASSOC_STRUCT_OPS), ZERO, NO_POINTERS },
};
const unsigned n_bpf_variants = sizeof(bpf_variants) / sizeof(bpf_variants[0]);
_Static_assert(sizeof(bpf_variants) / sizeof(bpf_variants[0]) == CMD_COUNT, "a row for every command");
