/* Files that a recording needs. Contract: needs.h. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/needs.h"
#include "syscall-emu/file_map.h"
#include "syscall-emu/loader.h"

#define ROOM_MIN 64

static struct need *find(struct need *slot, size_t room, const struct file_ref *ref)
{
	size_t at = (size_t)(ref->hash[0] ^ ref->hash[1] ^ ref->size);

	while (slot[at &= room - 1].used && memcmp(&slot[at].ref, ref, sizeof(*ref)))
		at++;
	return &slot[at];
}

static int grow(struct needs *n)
{
	size_t room = n->room ? 2 * n->room : ROOM_MIN;
	struct need *slot = calloc(room, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	for (size_t i = 0; i < n->room; i++)
		if (n->slot[i].used)
			*find(slot, room, &n->slot[i].ref) = n->slot[i];
	free(n->slot);
	n->slot = slot;
	n->room = room;
	return 0;
}

static int add(struct needs *n, const struct file_ref *ref, const char *path)
{
	int rc = 2 * n->n >= n->room ? grow(n) : 0;
	struct need *slot;

	if (rc < 0)
		return rc;
	slot = find(n->slot, n->room, ref);
	if (slot->used)
		return 0;
	*slot = (struct need){ *ref, true, strdup(path) };
	n->n++;
	return slot->path ? 0 : -ENOMEM;
}

static int add_image(struct needs *n, const struct event *ev)
{
	struct exec_params x;
	int rc = exec_params_decode(ev->annex, ev->annex_len, &x);

	if (rc < 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && i < x.nfiles; i++)
		rc = add(n, &x.file[i].ref, x.file[i].path);
	exec_params_free(&x);
	return rc;
}

int needs_event(struct needs *n, const struct event *ev)
{
	struct file_map m;
	int rc;

	if (ev->type == REC_EXEC)
		return add_image(n, ev);
	if (ev->type != REC_SYSCALL || (uint32_t)ev->regs.rax != __NR_mmap || !ev->annex_len)
		return 0;
	rc = file_map_decode(ev->annex, ev->annex_len, &m);
	/* Of a mapping that failed nothing is mapped again. */
	if (rc < 0 || (m.kind != FILE_MAP_PRIVATE && m.kind != FILE_MAP_SHARED) || (ev->result < 0 && ev->result >= -4095))
		return rc;
	return add(n, &m.ref, m.path);
}

const struct need *needs_next(const struct needs *n, size_t *at)
{
	while (*at < n->room) {
		const struct need *slot = &n->slot[(*at)++];

		if (slot->used)
			return slot;
	}
	return NULL;
}

uint64_t needs_bytes(const struct needs *n)
{
	const struct need *f;
	uint64_t sum = 0;

	for (size_t at = 0; (f = needs_next(n, &at));)
		sum += f->ref.size;
	return sum;
}

void needs_free(struct needs *n)
{
	for (size_t i = 0; i < n->room; i++)
		free(n->slot[i].path);
	free(n->slot);
	*n = (struct needs){ 0 };
}
