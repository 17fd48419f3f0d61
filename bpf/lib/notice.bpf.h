/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Word that a sender leaves of its request for the other end, by the name that both give to the
 * exchange. Each name has one slot, which it shares with others: what is younger stays. (A hash map
 * that evicts costs ten times as much, twice a request.)
 */
#ifndef WEFT_LIB_NOTICE_BPF_H
#define WEFT_LIB_NOTICE_BPF_H

#include "maps.bpf.h"

static __always_inline struct notice *notice_slot(const struct notice_key *key)
{
	__u64 hash = (key->join.client ^ (key->join.server << 32 | key->join.server >> 32) ^
		      key->serial << 48) *
		     0x9e3779b97f4a7c15ULL;
	__u32 slot = hash >> 32 & (NOTICES_MAX - 1);

	return bpf_map_lookup_elem(&notices, &slot);
}

/* Who comes while the slot is written by another processor leaves nothing: user space finds that.
 */
static __always_inline void notice_put(const struct notice_key *key,
				       const struct request_ref *request, __u64 now_ns)
{
	struct notice *notice = notice_slot(key);

	if (!notice || __sync_lock_test_and_set(&notice->busy, 1))
		return;
	notice->key = *key;
	notice->context.trace_id[0] = request->trace_id[0];
	notice->context.trace_id[1] = request->trace_id[1];
	notice->context.span_id = request->span_id;
	notice->context.flags = request->flags;
	notice->time_ns = now_ns;
	__sync_fetch_and_add(&notice->version, 1);
	__sync_lock_test_and_set(&notice->busy, 0);
}

/* The word that was left later than `after_ns`. Non-zero: there is none. */
static __always_inline int notice_get(const struct notice_key *key, __u64 after_ns,
				      struct trace_context *ret)
{
	struct notice *notice = notice_slot(key);
	__u32 version;

	if (!notice)
		return -1;
	/* an atomic operation, so that no processor reads ahead of it */
	version = __sync_fetch_and_add(&notice->version, 0);
	if (notice->time_ns <= after_ns || notice->key.join.client != key->join.client ||
	    notice->key.join.server != key->join.server || notice->key.serial != key->serial)
		return -1;
	*ret = notice->context;
	return __sync_fetch_and_add(&notice->busy, 0) ||
	       __sync_fetch_and_add(&notice->version, 0) != version;
}

#endif
