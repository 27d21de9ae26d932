/* Asking the kernel what a descriptor of bpf's is. Contract: bpf_object.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/bpf_abi.h"
#include "syscall-emu/bpf_object.h"
#include "syscall-emu/fdtable.h"
#include "syscall-emu/session.h"
#include "vmm/cleanup.h"

#define LINK_INFO_HEAD 24 /* type, id, prog_id, then a union that begins with the kind of a perf event */

static int get_info(int fd, void *info, uint32_t size)
{
	struct attr_info a = { .bpf_fd = (uint32_t)fd, .info_len = size, .info = (uint64_t)(uintptr_t)info };

	memset(info, 0, size);
	return syscall(SYS_bpf, CMD_OBJ_GET_INFO_BY_FD, &a, sizeof(a)) < 0 ? -errno : 0;
}

/* All of them are anonymous inodes, told apart by the names that /proc shows. */
static int kind_of(const struct fdtable *f, int fd)
{
	static const struct { const char *name; uint8_t kind; } kinds[] = {
		{ "anon_inode:bpf-map", BPF_OBJECT_MAP },   { "anon_inode:bpf-prog", BPF_OBJECT_PROG },
		{ "anon_inode:bpf_link", BPF_OBJECT_LINK }, { "anon_inode:bpf-link", BPF_OBJECT_LINK },
		{ "anon_inode:btf", BPF_OBJECT_BTF },
	};
	char name[40], link[64];
	ssize_t n;

	if (!f || f->proc_root < 0)
		return BPF_OBJECT_UNKNOWN;
	snprintf(name, sizeof(name), "thread-self/fd/%d", fd);
	n = readlinkat(f->proc_root, name, link, sizeof(link) - 1);
	if (n < 0)
		return BPF_OBJECT_UNKNOWN;
	link[n] = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(link, kinds[i].name))
			return kinds[i].kind;
	return BPF_OBJECT_UNKNOWN;
}

static int ask_map(int fd, struct bpf_object *o)
{
	struct info_map m;
	int rc = get_info(fd, &m, sizeof(m));

	if (rc < 0)
		return rc;
	o->type = m.type;
	o->key_size = m.key_size;
	o->value_size = m.value_size;
	o->max_entries = m.max_entries;
	o->map_flags = m.map_flags;
	return 0;
}

static int ask_link(int fd, struct bpf_object *o)
{
	uint32_t head[LINK_INFO_HEAD / 4];
	int rc = get_info(fd, head, sizeof(head));

	if (rc < 0)
		return rc;
	o->type = head[0];
	o->perf_type = head[4];
	return 0;
}

int bpf_object_ask(struct session *s, struct task *t, int fd, struct bpf_object *o)
{
	(void)s;
	*o = (struct bpf_object){ .kind = (uint8_t)kind_of(t->proc->fds, fd) };
	switch (o->kind) {
	case BPF_OBJECT_MAP:
		return ask_map(fd, o);
	case BPF_OBJECT_LINK:
		return ask_link(fd, o);
	case BPF_OBJECT_UNKNOWN:
		return -EBADF;
	default:
		return 0;
	}
}

/* As many values as CPUs may ever be there: "0-3", "0,2-5". The count is one more than the last number. */
static unsigned possible_cpus(void)
{
	static unsigned known;
	cleanup_close int fd = known ? -1 : open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	char text[256], *last;
	ssize_t n;

	if (known)
		return known;
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return known = (unsigned)get_nprocs_conf();
	text[n] = '\0';
	last = text + strlen(text);
	while (last > text && last[-1] != '-' && last[-1] != ',')
		last--;
	return known = (unsigned)strtoul(last, NULL, 10) + 1;
}

static bool per_cpu(uint32_t type)
{
	return type == BPFMAP_PERCPU_HASH || type == BPFMAP_PERCPU_ARRAY || type == BPFMAP_LRU_PERCPU_HASH ||
	       type == BPFMAP_PERCPU_CGROUP_STORAGE;
}

uint64_t bpf_value_size(const struct bpf_object *o, uint64_t elem_flags)
{
	if (o->kind != BPF_OBJECT_MAP)
		return 0;
	if (!per_cpu(o->type) || elem_flags & (ELEM_F_CPU | ELEM_F_ALL_CPUS))
		return o->value_size;
	return (((uint64_t)o->value_size + 7) & ~7ULL) * possible_cpus();
}

/* Hash maps count buckets, the others go on after a key. */
uint64_t bpf_batch_size(const struct bpf_object *o)
{
	switch (o->kind == BPF_OBJECT_MAP ? o->type : 0) {
	case 0:
		return 0;
	case BPFMAP_HASH:
	case BPFMAP_PERCPU_HASH:
	case BPFMAP_LRU_HASH:
	case BPFMAP_LRU_PERCPU_HASH:
	case BPFMAP_HASH_OF_MAPS:
		return sizeof(uint32_t);
	default:
		return o->key_size;
	}
}
