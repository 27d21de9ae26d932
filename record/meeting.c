/* Where threads meet. Contract: meeting.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "record/meeting.h"
#include "vmm/cleanup.h"

#define GRANULES 4096 /* of 8 bytes; a power of two. What does not fit is not learnt */
#define USERS 8       /* instructions remembered of each, until two threads have used it */
#define PROBES 8

struct granule {
	uint64_t number;      /* address / 8; 0: free */
	int tid;
	bool shared, written;
	unsigned nusers;
	uint64_t user[USERS];
};

static struct granule granules[GRANULES];

static struct granule *find(uint64_t number, int tid)
{
	uint64_t at = number * 0x9e3779b97f4a7c15ULL >> 52;

	for (unsigned i = 0; i < PROBES; i++) {
		struct granule *g = &granules[(at + i) % GRANULES];

		if (g->number == number)
			return g;
		if (!g->number) {
			*g = (struct granule){ .number = number, .tid = tid };
			return g;
		}
	}
	return NULL;
}

static bool listed(const uint64_t *list, uint32_t n, uint64_t rip)
{
	for (uint32_t i = 0; i < n && i < TREE_MEETINGS; i++)
		if (list[i] == rip)
			return true;
	return false;
}

/* Processes of the tree add side by side. */
static void add(struct tree *tree, uint64_t rip)
{
	uint32_t at;

	if (listed(tree->met, __atomic_load_n(&tree->nmet, __ATOMIC_ACQUIRE), rip))
		return;
	at = __atomic_fetch_add(&tree->nmet, 1, __ATOMIC_ACQ_REL);
	if (at < TREE_MEETINGS)
		tree->met[at] = rip;
}

void meeting_note(struct tree *tree, int tid, uint64_t rip, uint64_t addr, bool writes)
{
	struct granule *g = find(addr / 8, tid);

	if (!g)
		return;
	g->shared |= g->tid != tid;
	g->written |= writes;
	if (g->nusers < USERS && !listed(g->user, g->nusers, rip))
		g->user[g->nusers++] = rip;
	if (!g->shared || !g->written)
		return;
	add(tree, rip);
	for (; g->nusers; g->nusers--)
		add(tree, g->user[g->nusers - 1]);
}

bool meeting_marked(const struct tree *tree, uint64_t rip)
{
	return listed(tree->marked, tree->nmarked, rip);
}

int64_t meeting_read(const char *file, uint64_t *address, uint32_t *n)
{
	cleanup_fclose FILE *f = fopen(file, "re");
	uint64_t passed, rip;

	*n = 0;
	if (!f)
		return -errno;
	if (fscanf(f, "passed %" SCNu64, &passed) != 1 || passed > INT64_MAX)
		return -EINVAL;
	while (*n < TREE_MEETINGS && fscanf(f, "%" SCNx64, &rip) == 1)
		address[(*n)++] = rip;
	return feof(f) ? (int64_t)passed : -EINVAL;
}
