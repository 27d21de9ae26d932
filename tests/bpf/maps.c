/* Maps: every command on elements, every kind of map whose values or keys are special, and what they answer to mistakes. */
#include "bpf.h"

static void create_errors(void)
{
	union attr a = { 0 };

	SHOW(map_create(9999, 4, 4, 1, 0));
	SHOW(map_create(BPF_MAP_TYPE_ARRAY, 3, 4, 1, 0));
	SHOW(map_create(BPF_MAP_TYPE_ARRAY, 4, 0, 1, 0));
	SHOW(map_create(BPF_MAP_TYPE_HASH, 4, 4, 0, 0));
	SHOW(map_create(BPF_MAP_TYPE_HASH, 4, 4, 1, 0x80000000u));
	SHOW(map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, 100, 0));
	SHOW(bpf(BPF_MAP_CREATE, NULL, 40));
	SHOW(bpf(BPF_MAP_CREATE, (void *)-4096L, 40));
	SHOW(bpf(BPF_MAP_CREATE, &a, 5000));
	a.byte[400] = 1;
	SHOW(bpf(BPF_MAP_CREATE, &a, 410));
	a.a.map_type = BPF_MAP_TYPE_ARRAY;
	a.a.key_size = a.a.value_size = 4;
	a.a.max_entries = 1;
	SHOW_OK(bpf(BPF_MAP_CREATE, &a, 16));  /* an old program's attr */
	SHOW_OK(bpf(BPF_MAP_CREATE, &a, 400)); /* a newer program's, with zeros */
	SHOW(bpf(BPF_MAP_CREATE, &a, 0));
	SHOW(bpf(BPF_MAP_CREATE, &a, 15));     /* half of max_entries, which is 1 */
}

static void hash(uint32_t type)
{
	int fd = map_create(type, 4, 12, 8, 0);
	uint32_t key = 7, next = 99, none = 1234;
	char value[16] = "hello world", got[16] = "";

	printf("hash %u\n", type);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, got, 0));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, BPF_EXIST));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, BPF_ANY));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, BPF_NOEXIST));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, 77));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, got, 0));
	printf("%s\n", got);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, got, 9));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, NULL, got, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, (void *)8, 0));
	SHOW(elem(BPF_MAP_GET_NEXT_KEY, fd, NULL, &next, 0));
	printf("%u\n", next);
	SHOW(elem(BPF_MAP_GET_NEXT_KEY, fd, &next, &none, 0));
	SHOW(elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, &key, memset(got, 0, sizeof(got)), 0));
	printf("%s\n", got);
	SHOW(elem(BPF_MAP_DELETE_ELEM, fd, &key, NULL, 0));
	for (key = 0; key < 8; key++)
		CHECK(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, 0) == 0);
	SHOW(elem(BPF_MAP_DELETE_ELEM, fd, &(uint32_t){ 3 }, NULL, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, -1, &key, got, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, 0, &key, got, 0));
	close(fd);
}

/* A value for each CPU, each rounded up to eight bytes. */
static void per_cpu(uint32_t type)
{
	unsigned n = possible_cpus();
	int fd = map_create(type, 4, 5, 4, 0);
	uint32_t key = 1;
	unsigned char *value = malloc(8 * n + 16), *got = malloc(8 * n + 16);

	printf("per CPU %u\n", type);
	for (unsigned i = 0; i < n; i++)
		memcpy(value + 8 * i, (unsigned char[8]){ 10 + i, 20 + i, 30, 40, 50, 0, 0, 0 }, 8);
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, value, 0));
	memset(got, 0xee, 8 * n + 16);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, got, 0));
	for (unsigned i = 0; i < n; i++)
		CHECK(got[8 * i] == 10 + i && got[8 * i + 1] == 20 + i && got[8 * i + 4] == 50);
	CHECK(got[8 * n] == 0xee);
	printf("%08x\n", sum_of(got, 8 * n + 16));
	close(fd);
	free(value);
	free(got);
}

static void without_keys(uint32_t type)
{
	int fd = map_create(type, 0, 8, 3, 0);
	uint64_t v = 0;

	printf("queue or stack %u\n", type);
	for (uint64_t i = 1; i < 4; i++)
		CHECK(elem(BPF_MAP_UPDATE_ELEM, fd, NULL, &i, 0) == 0);
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, NULL, &v, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, NULL, &v, 0));
	printf("%lu\n", v);
	for (int i = 0; i < 4; i++) {
		SHOW(elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, &v, 0));
		printf("%lu\n", v);
	}
	close(fd);
}

static void bloom(void)
{
	int fd = map_create(BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 100, 0);
	uint64_t in = 42;

	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, NULL, &in, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, NULL, &in, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, NULL, &(uint64_t){ 43 }, 0));
	SHOW(elem(BPF_MAP_DELETE_ELEM, fd, NULL, NULL, 0));
	close(fd);
}

struct prefix { uint32_t len; uint8_t addr[4]; };

static void lpm(void)
{
	int fd = map_create(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 10, BPF_F_NO_PREALLOC);
	struct prefix net = { 8, { 10, 0, 0, 0 } }, sub = { 16, { 10, 1, 0, 0 } }, host = { 32, { 10, 1, 2, 3 } }, next;
	uint32_t v = 0;

	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &net, &(uint32_t){ 1 }, 0));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &sub, &(uint32_t){ 2 }, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &host, &v, 0));
	printf("%u\n", v);
	SHOW(elem(BPF_MAP_GET_NEXT_KEY, fd, NULL, &next, 0));
	printf("%u %u.%u\n", next.len, next.addr[0], next.addr[1]);
	close(fd);
}

static void in_map(uint32_t type)
{
	int inner = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0), outer;
	union attr a = { .a = { .map_type = type, .key_size = 4, .value_size = 4, .max_entries = 2, .inner_map_fd = (uint32_t)inner } };
	uint32_t key = 0, v = 0;

	printf("map in map %u\n", type);
	outer = bpf_all(BPF_MAP_CREATE, &a);
	SHOW(elem(BPF_MAP_UPDATE_ELEM, outer, &key, &inner, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, outer, &key, &v, 0));
	CHECK(v != 0); /* an id */
	SHOW(elem(BPF_MAP_UPDATE_ELEM, outer, &key, &(int){ -1 }, 0));
	SHOW(elem(BPF_MAP_DELETE_ELEM, outer, &key, NULL, 0));
	close(inner);
	close(outer);
}

static void freeze(void)
{
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 2, 0);
	union attr a = { .a = { .map_fd = (uint32_t)fd } };
	uint32_t key = 0, v = 5;

	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, &v, 0));
	SHOW(bpf_all(BPF_MAP_FREEZE, &a));
	SHOW(bpf_all(BPF_MAP_FREEZE, &a));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, &v, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, &v, 0));
	close(fd);
}

static int batch(int cmd, int fd, void *in, void *out, void *keys, void *values, uint32_t *count)
{
	union attr a = { 0 };
	int r;

	a.a.batch.map_fd = (uint32_t)fd;
	a.a.batch.in_batch = ptr(in);
	a.a.batch.out_batch = ptr(out);
	a.a.batch.keys = ptr(keys);
	a.a.batch.values = ptr(values);
	a.a.batch.count = *count;
	r = bpf_all(cmd, &a);
	*count = a.a.batch.count;
	return r;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, 4);
}

static void batches(uint32_t type)
{
	int fd = map_create(type, 4, 8, 50, 0);
	uint32_t keys[60], count = 40, total = 0, at = 0, next = 0;
	uint64_t values[60];
	int r;

	printf("batches %u\n", type);
	for (uint32_t i = 0; i < 40; i++) {
		keys[i] = i;
		values[i] = 1000 + i;
	}
	SHOW(batch(BPF_MAP_UPDATE_BATCH, fd, NULL, NULL, keys, values, &count));
	printf("%u\n", count);
	memset(keys, 0xff, sizeof(keys));
	do { /* how many come at once is the map's business, that all come is not */
		count = type == BPF_MAP_TYPE_ARRAY ? 7 : 30;
		r = batch(BPF_MAP_LOOKUP_BATCH, fd, total ? &at : NULL, &next, keys + total, values + total, &count);
		if (r < 0 && errno != ENOENT)
			break;
		total += count;
		at = next;
	} while (r == 0 && total < 30);
	CHECK(total > 0);
	count = 60;
	r = batch(BPF_MAP_LOOKUP_BATCH, fd, NULL, &next, keys, values, &count);
	printf("all: %s %u\n", result(r), count);
	qsort(keys, count < 60 ? count : 60, 4, by_key);
	printf("%08x\n", sum_of(keys, sizeof(keys)));
	count = 1;
	r = batch(BPF_MAP_LOOKUP_BATCH, fd, NULL, (void *)8, keys, values, &count);
	printf("bad out_batch: %s %u\n", result(r), count);
	count = 3;
	r = batch(BPF_MAP_LOOKUP_BATCH, fd, NULL, &next, (void *)8, values, &count);
	printf("bad keys: %s %u\n", result(r), count);
	keys[0] = 1, keys[1] = 2, keys[2] = 777;
	count = 3;
	r = batch(BPF_MAP_DELETE_BATCH, fd, NULL, NULL, keys, NULL, &count);
	printf("delete: %s %u\n", result(r), count);
	count = 60;
	r = batch(BPF_MAP_LOOKUP_AND_DELETE_BATCH, fd, NULL, &next, keys, values, &count);
	printf("take all: %s %u\n", result(r), count);
	count = 0;
	r = batch(BPF_MAP_LOOKUP_BATCH, fd, NULL, &next, keys, values, &count);
	printf("none asked for: %s %u\n", result(r), count);
	close(fd);
}

static void per_cpu_batch(void)
{
	unsigned n = possible_cpus();
	int fd = map_create(BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 10, 0);
	uint32_t keys[3] = { 1, 2, 3 }, count = 3, next, out[4] = { 0 };
	uint64_t *values = calloc(3 * n, 8), *got = calloc(4 * n, 8), sum = 0;

	for (unsigned i = 0; i < 3 * n; i++)
		values[i] = i;
	SHOW(batch(BPF_MAP_UPDATE_BATCH, fd, NULL, NULL, keys, values, &count));
	count = 4;
	SHOW(batch(BPF_MAP_LOOKUP_BATCH, fd, NULL, &next, out, got, &count));
	printf("%u\n", count);
	for (unsigned i = 0; i < 4 * n; i++)
		sum += got[i];
	CHECK(sum == (uint64_t)3 * n * (3 * n - 1) / 2);
	close(fd);
	free(values);
	free(got);
}

/* The value ends right before a page that is not there. */
static void at_the_edge(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = map_create(BPF_MAP_TYPE_ARRAY, 4, 100, 1, 0);
	uint32_t key = 0;

	munmap(page + 4096, 4096);
	memset(page, 'x', 4096);
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, page + 3996, 0));
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, page + 3997, 0));
	memset(page, 0, 4096);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, page + 3996, 0));
	printf("%08x\n", sum_of(page, 4096));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, page + 3997, 0));
	mprotect(page, 4096, PROT_READ);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, page, 0));
	close(fd);
}

/* A number that meant a map means another one now. */
static void renumbered(void)
{
	int small = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0), large = map_create(BPF_MAP_TYPE_ARRAY, 4, 600, 1, 0);
	uint32_t key = 0;
	char got[600];

	memset(got, 7, sizeof(got));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, small, &key, got, 0));
	CHECK(got[4] == 7);
	CHECK(dup2(large, small) == small);
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, small, &key, got, 0));
	CHECK(got[599] == 0);
	close(large);
	close(small);
}

int main(void)
{
	create_errors();
	hash(BPF_MAP_TYPE_HASH);
	hash(BPF_MAP_TYPE_LRU_HASH);
	hash(BPF_MAP_TYPE_ARRAY);
	per_cpu(BPF_MAP_TYPE_PERCPU_ARRAY);
	per_cpu(BPF_MAP_TYPE_PERCPU_HASH);
	per_cpu(BPF_MAP_TYPE_LRU_PERCPU_HASH);
	without_keys(BPF_MAP_TYPE_QUEUE);
	without_keys(BPF_MAP_TYPE_STACK);
	bloom();
	lpm();
	in_map(BPF_MAP_TYPE_ARRAY_OF_MAPS);
	in_map(BPF_MAP_TYPE_HASH_OF_MAPS);
	freeze();
	batches(BPF_MAP_TYPE_ARRAY);
	batches(BPF_MAP_TYPE_HASH);
	per_cpu_batch();
	at_the_edge();
	renumbered();
	return guest_end();
}
