/* What processes tell each other. Contract: memo.h. */
#include <string.h>

#include "vmm/memo.h"

static size_t slot_of(const uint64_t key[2])
{
	return key[0] % MEMO_SLOTS;
}

size_t memo_get(const struct memo *m, const uint64_t key[2], void *bytes)
{
	const struct memo_slot *s = &m->slot[slot_of(key)];
	uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE), len = s->len;

	if (seq & 1 || len > MEMO_BYTES || s->key[0] != key[0] || s->key[1] != key[1])
		return 0;
	memcpy(bytes, s->bytes, len);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->seq, __ATOMIC_RELAXED) == seq ? len : 0;
}

void memo_put(struct memo *m, const uint64_t key[2], const void *bytes, size_t len)
{
	struct memo_slot *s = &m->slot[slot_of(key)];
	uint32_t seq = __atomic_load_n(&s->seq, __ATOMIC_RELAXED);

	if (len > MEMO_BYTES || seq & 1 ||
	    !__atomic_compare_exchange_n(&s->seq, &seq, seq + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(s->key, key, sizeof(s->key));
	s->len = (uint32_t)len;
	memcpy(s->bytes, bytes, len);
	__atomic_store_n(&s->seq, seq + 2, __ATOMIC_RELEASE);
}
