/* Contract: text_cache.h. */
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/text_cache.h"
#include "trace/files.h"
#include "vmm/memo.h"
#include "vmm/text_funcs.h"

static void functions(void *arg, struct text_place *place, size_t n)
{
	const struct text_source *x = arg;

	if (x->fd >= 0)
		text_funcs_near(x->fd, x->offset, x->len, place, n);
}

/* Scans of the same text by other processes, found by the same key. */
static struct memo *shared;

void text_cache_share(struct memo *m)
{
	shared = m;
}

struct shared_scan {
	uint64_t n, unproven;
	struct text_hit hit[(MEMO_BYTES - 16) / sizeof(struct text_hit)];
};

static bool scan_shared(XXH128_hash_t key, size_t text_len, struct text_found *out)
{
	union { struct shared_scan scan; unsigned char bytes[MEMO_BYTES]; } u;
	size_t len = shared ? memo_get(shared, (const uint64_t[2]){ key.low64, key.high64 }, &u) : 0;

	if (len < offsetof(struct shared_scan, hit) || u.scan.n > sizeof(u.scan.hit) / sizeof(u.scan.hit[0]) ||
	    len != offsetof(struct shared_scan, hit) + u.scan.n * sizeof(u.scan.hit[0]))
		return false;
	for (size_t i = 0; i < u.scan.n; i++)
		if (u.scan.hit[i].len > TEXT_LEN_MAX || u.scan.hit[i].off + u.scan.hit[i].len > text_len)
			return false;
	out->hit = malloc(u.scan.n * sizeof(u.scan.hit[0]) + 1);
	if (!out->hit)
		return false;
	memcpy(out->hit, u.scan.hit, u.scan.n * sizeof(u.scan.hit[0]));
	out->n = u.scan.n;
	out->unproven = u.scan.unproven;
	return true;
}

static void share_scan(XXH128_hash_t key, const struct text_found *f)
{
	struct shared_scan s = { .n = f->n, .unproven = f->unproven };

	if (!shared || f->n > sizeof(s.hit) / sizeof(s.hit[0]))
		return;
	memcpy(s.hit, f->hit, f->n * sizeof(s.hit[0]));
	memo_put(shared, (const uint64_t[2]){ key.low64, key.high64 }, &s,
		 offsetof(struct shared_scan, hit) + f->n * sizeof(s.hit[0]));
}

static bool clean_key(int fd, uint64_t offset, uint64_t len, unsigned kinds, uint64_t key[2])
{
	uint64_t k[5] = { offset, len, kinds };
	XXH128_hash_t h;

	if (!shared || fd < 0 || !files_content_key(fd, k + 3))
		return false;
	h = XXH3_128bits(k, sizeof(k));
	key[0] = h.low64;
	key[1] = h.high64;
	return true;
}

/* The keys of scans are hashes of text; that one of these is the same is as likely as any other accident. */
static const char clean[] = "nothing";

bool text_cache_clean(int fd, uint64_t offset, uint64_t len, unsigned kinds)
{
	unsigned char bytes[MEMO_BYTES];
	uint64_t key[2];

	return clean_key(fd, offset, len, kinds, key) && memo_get(shared, key, bytes) == sizeof(clean) &&
	       !memcmp(bytes, clean, sizeof(clean));
}

void text_cache_found_clean(int fd, uint64_t offset, uint64_t len, unsigned kinds)
{
	uint64_t key[2];

	if (clean_key(fd, offset, len, kinds, key))
		memo_put(shared, key, clean, sizeof(clean));
}

const struct text_found *text_cache_scan(struct text_cache *c, const struct text_source *x)
{
	struct text_input in = {
		.code = x->code, .len = x->len, .from = x->from, .kinds = x->kinds, .functions = functions, .arg = (void *)x,
	};
	XXH128_hash_t key = XXH3_128bits(x->code, x->len);
	struct text_cached *s;

	/* Function starts come from other parts of the file: with and without, or from another place, is another scan. */
	key.low64 ^= XXH3_64bits_withSeed(&x->offset, sizeof(x->offset), x->from + (x->fd >= 0)) ^ x->kinds;
	for (s = c->scan; s < c->scan + TEXT_CACHED; s++)
		if (XXH128_isEqual(s->key, key))
			return &s->found;
	s = &c->scan[c->next++ % TEXT_CACHED];
	free(s->found.hit);
	memset(s, 0, sizeof(*s));
	if (!scan_shared(key, x->len, &s->found)) {
		if (text_scan(&in, &s->found) < 0)
			return NULL;
		share_scan(key, &s->found);
	}
	s->key = key;
	return &s->found;
}

void text_cache_free(struct text_cache *c)
{
	for (unsigned i = 0; i < TEXT_CACHED; i++)
		free(c->scan[i].found.hit);
}
