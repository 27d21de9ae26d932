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
static bool resting;

void text_cache_share(struct memo *m)
{
	shared = m;
}

void text_cache_files_rest(void)
{
	resting = true;
}

struct shared_scan {
	uint64_t n, unproven, len;
	struct text_hit hit[(MEMO_BYTES - 24) / sizeof(struct text_hit)];
};

/* Of a text of at most text_len bytes. */
static bool scan_shared(XXH128_hash_t key, size_t text_len, struct text_found *out)
{
	union { struct shared_scan scan; unsigned char bytes[MEMO_BYTES]; } u;
	size_t len = shared ? memo_get(shared, (const uint64_t[2]){ key.low64, key.high64 }, &u) : 0;

	if (len < offsetof(struct shared_scan, hit) || u.scan.n > sizeof(u.scan.hit) / sizeof(u.scan.hit[0]) ||
	    len != offsetof(struct shared_scan, hit) + u.scan.n * sizeof(u.scan.hit[0]) || u.scan.len > text_len)
		return false;
	for (size_t i = 0; i < u.scan.n; i++)
		if (u.scan.hit[i].len > TEXT_LEN_MAX || u.scan.hit[i].off + u.scan.hit[i].len > u.scan.len)
			return false;
	out->hit = malloc(u.scan.n * sizeof(u.scan.hit[0]) + 1);
	if (!out->hit)
		return false;
	memcpy(out->hit, u.scan.hit, u.scan.n * sizeof(u.scan.hit[0]));
	out->n = u.scan.n;
	out->unproven = u.scan.unproven;
	out->len = u.scan.len;
	return true;
}

static void share_scan(XXH128_hash_t key, const struct text_found *f)
{
	struct shared_scan s = { .n = f->n, .unproven = f->unproven, .len = f->len };

	if (!shared || f->n > sizeof(s.hit) / sizeof(s.hit[0]))
		return;
	if (f->n)
		memcpy(s.hit, f->hit, f->n * sizeof(s.hit[0]));
	memo_put(shared, (const uint64_t[2]){ key.low64, key.high64 }, &s,
		 offsetof(struct shared_scan, hit) + f->n * sizeof(s.hit[0]));
}

/* Function starts come from other parts of the file: with and without, or from another place, is another scan. */
static XXH128_hash_t key_of_bytes(const struct text_source *x)
{
	XXH128_hash_t key = XXH3_128bits(x->code, x->len);

	key.low64 ^= XXH3_64bits_withSeed(&x->offset, sizeof(x->offset), x->from + (x->fd >= 0)) ^ x->kinds;
	return key;
}

static bool key_of_file(const struct text_source *x, XXH128_hash_t *key)
{
	uint64_t k[6] = { x->offset, x->mapped, x->from, x->kinds };

	if (x->fd < 0 || !files_content_key(x->fd, resting, k + 4))
		return false;
	*key = XXH3_128bits(k, sizeof(k));
	return true;
}

static struct text_cached *cached(struct text_cache *c, XXH128_hash_t key)
{
	for (struct text_cached *s = c->scan; s < c->scan + TEXT_CACHED; s++)
		if (XXH128_isEqual(s->key, key))
			return s;
	return NULL;
}

static const struct text_found *keep(struct text_cache *c, XXH128_hash_t key, const struct text_found *f)
{
	struct text_cached *s = &c->scan[c->next++ % TEXT_CACHED];

	free(s->found.hit);
	*s = (struct text_cached){ .key = key, .found = *f };
	return &s->found;
}

/* By this process, or by another. */
static const struct text_found *lookup(struct text_cache *c, XXH128_hash_t key, uint64_t text_len)
{
	const struct text_cached *s = cached(c, key);
	struct text_found f = { 0 };

	return s ? &s->found : scan_shared(key, text_len, &f) ? keep(c, key, &f) : NULL;
}

const struct text_found *text_cache_known(struct text_cache *c, const struct text_source *x)
{
	XXH128_hash_t key;

	return key_of_file(x, &key) ? lookup(c, key, x->mapped) : NULL;
}

const struct text_found *text_cache_scan(struct text_cache *c, const struct text_source *x)
{
	struct text_input in = {
		.code = x->code, .len = x->len, .from = x->from, .kinds = x->kinds, .functions = functions, .arg = (void *)x,
	};
	const struct text_found *f = NULL;
	struct text_found found;
	XXH128_hash_t key;

	if (!key_of_file(x, &key)) {
		key = key_of_bytes(x);
		f = lookup(c, key, x->len);
	}
	if (f)
		return f;
	if (text_scan(&in, &found) < 0)
		return NULL;
	share_scan(key, &found);
	return keep(c, key, &found);
}

void text_cache_clean(struct text_cache *c, const struct text_source *x)
{
	const struct text_found nothing = { .len = x->len };
	XXH128_hash_t key;

	if (!key_of_file(x, &key))
		return;
	share_scan(key, &nothing);
	keep(c, key, &nothing);
}

void text_cache_free(struct text_cache *c)
{
	for (unsigned i = 0; i < TEXT_CACHED; i++)
		free(c->scan[i].found.hit);
}
