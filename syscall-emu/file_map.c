/* The annex of a file mapping. Contract: file_map.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "syscall-emu/file_map.h"

#define DENIED_SHIFT 8 /* kind: enum file_map_kind in the low byte, file_map.denied above */

struct file_map_wire {
	uint32_t kind, path_len;
	uint64_t hash[2], size, dev, ino;
};
_Static_assert(sizeof(struct file_map_wire) == 48, "trace format");

uint32_t file_map_encode(const struct file_map *m, unsigned char buf[FILE_MAP_ANNEX_MAX])
{
	struct file_map_wire w = {
		.kind = m->kind | m->denied << DENIED_SHIFT,
		.path_len = (uint32_t)strnlen(m->path, sizeof(m->path) - 1),
		.hash = { m->ref.hash[0], m->ref.hash[1] },
		.size = m->ref.size,
		.dev = m->dev,
		.ino = m->ino,
	};

	memcpy(buf, &w, sizeof(w));
	memcpy(buf + sizeof(w), m->path, w.path_len);
	return sizeof(w) + w.path_len;
}

int file_map_decode(const void *annex, uint32_t len, struct file_map *m)
{
	struct file_map_wire w;

	if (!annex || len < sizeof(w))
		return -EBADMSG;
	memcpy(&w, annex, sizeof(w));
	m->kind = w.kind & ((1u << DENIED_SHIFT) - 1);
	m->denied = w.kind >> DENIED_SHIFT;
	if (m->kind > FILE_MAP_KERNEL || m->denied & ~(uint32_t)(PROT_WRITE | PROT_EXEC) || w.path_len >= sizeof(m->path) || len != sizeof(w) + w.path_len)
		return -EBADMSG;
	m->ref = (struct file_ref){ { w.hash[0], w.hash[1] }, w.size };
	m->dev = w.dev;
	m->ino = w.ino;
	memcpy(m->path, (const char *)annex + sizeof(w), w.path_len);
	m->path[w.path_len] = '\0';
	return 0;
}
