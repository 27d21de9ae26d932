/* bpf(2). Contract: bpf.h. Source: Linux kernel/bpf/syscall.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syscall-emu/bpf.h"
#include "syscall-emu/bpf_abi.h"
#include "syscall-emu/bpf_object.h"
#include "trace/event.h"
#include "vmm/cleanup.h"

#define ATTR_ARG 1
#define COMMON_ARG 3

void bpf_call_begin(struct task *t)
{
	t->bpf = (struct bpf_call){ 0 };
}

const struct bpf_object *bpf_call_object(struct task *t, int fd)
{
	struct session *s = t->proc->sess;

	if (!t->bpf.asked) {
		t->bpf.asked = true;
		if (!s || !s->ops->bpf_object || s->ops->bpf_object(s, t, fd, &t->bpf.object) < 0)
			t->bpf.object = (struct bpf_object){ 0 };
	}
	return &t->bpf.object;
}

static struct plan_region *object_at(struct plan *p, unsigned arg)
{
	for (uint32_t i = 0; i < p->nregions; i++) {
		struct plan_region *r = &p->region[i];

		if (r->parent == ~0ULL && r->mem->arg == arg)
			return r->copy ? r : NULL;
	}
	return NULL;
}

/*
 * How much of the log buffer was written is only said to callers whose attr reaches to log_true_size. The kernel is given
 * a longer one, which means the same to it: our copy has zeros behind its end.
 */
static void ask_log_size(struct plan *p)
{
	uint64_t size = p->desc->key == CMD_PROG_LOAD ? offsetof(struct attr_prog_load, prog_token_fd) :
			p->desc->key == CMD_BTF_LOAD ? offsetof(struct attr_btf_load, flags) : 0;

	if ((uint32_t)p->arg[2] < size)
		p->host_arg[2] = size;
}

/* Is the object or the way to use it one that bpf_abi.h does not know? */
static bool newer_than_us(struct task *t, const struct plan *p, const struct plan_region *attr)
{
	struct attr_link_create link;
	const struct bpf_object *o = &t->bpf.object;

	if (!attr)
		return false;
	switch (p->desc->key) {
	case CMD_LINK_CREATE:
		memcpy(&link, attr->copy, sizeof(link)); /* zeros follow a short one */
		return link.attach_type > ATTACH_NEWEST;
	case CMD_OBJ_GET_INFO_BY_FD:
		return o->kind == BPF_OBJECT_UNKNOWN || (o->kind == BPF_OBJECT_LINK && o->type > BPFLINK_NEWEST);
	default:
		return o->kind == BPF_OBJECT_MAP && o->type > BPFMAP_NEWEST;
	}
}

/* Gives the guest, and the log, the bytes of r in which the call made our copy another than it was. */
static int put_back(struct plan *p, const struct plan_region *r, const char *before)
{
	const char *now = r->copy;

	for (uint64_t i = 0; i < r->cap;) {
		uint64_t n = 0;
		int rc;

		while (i + n < r->cap && now[i + n] != before[i + n])
			n++;
		if (!n) {
			i++;
			continue;
		}
		rc = guest_write(r->addr + i, now + i, n);
		if (rc == 0)
			rc = plan_add(p, r->addr + i, n, DATA_MEMORY, NULL);
		if (rc < 0)
			return rc;
		i += n;
	}
	return 0;
}

/*
 * What a successful call always writes, as far as the attr reaches to it. The same bytes are given once more: a program
 * whose attr cannot be written gets the error even when nothing has changed.
 */
static int write_always(const struct plan *p, const struct plan_region *attr, int64_t ret)
{
	static const struct { uint8_t cmd, offset; } fields[] = { /* of four bytes each */
		{ CMD_PROG_LOAD, offsetof(struct attr_prog_load, log_true_size) },
		{ CMD_BTF_LOAD, offsetof(struct attr_btf_load, log_true_size) },
		{ CMD_PROG_TEST_RUN, offsetof(struct attr_test_run, retval) },
		{ CMD_PROG_GET_NEXT_ID, offsetof(struct attr_by_id, next_id) },
		{ CMD_MAP_GET_NEXT_ID, offsetof(struct attr_by_id, next_id) },
		{ CMD_BTF_GET_NEXT_ID, offsetof(struct attr_by_id, next_id) },
		{ CMD_LINK_GET_NEXT_ID, offsetof(struct attr_by_id, next_id) },
		{ CMD_OBJ_GET_INFO_BY_FD, offsetof(struct attr_info, info_len) },
		{ CMD_TASK_FD_QUERY, offsetof(struct attr_task_fd_query, buf_len) },
	};

	for (size_t i = 0; ret >= 0 && i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].cmd == p->desc->key && attr->cap >= fields[i].offset + 4u)
			return guest_write(attr->addr + fields[i].offset, (char *)attr->copy + fields[i].offset, 4);
	return 0;
}

/* The kernel would have failed to write, and made no descriptor. */
static int64_t undo(const struct plan *p, int64_t ret, int rc)
{
	if (ret >= 0 && p->desc->ret == RET_FD)
		close((int)ret);
	return rc;
}

int64_t do_bpf(struct task *t, struct plan *p)
{
	struct plan_region *object[2] = { object_at(p, ATTR_ARG), object_at(p, COMMON_ARG) };
	char attr[ATTR_SIZE_MAX], common[ATTR_SIZE_MAX], *before[2] = { attr, common };
	int64_t ret;

	for (int i = 0; i < 2; i++)
		if (object[i])
			memcpy(before[i], object[i]->copy, object[i]->cap);
	if (object[0])
		ask_log_size(p);
	ret = newer_than_us(t, p, object[0]) ? syscall_generic(t, p) : plan_forward(p, t);
	for (int i = 0; i < 2 && ret != SYS_ERESTARTSYS; i++) {
		int rc = object[i] ? put_back(p, object[i], before[i]) : 0;

		if (rc == 0 && i == 0 && object[0])
			rc = write_always(p, object[0], ret);
		if (rc < 0)
			return undo(p, ret, rc);
	}
	return ret;
}
