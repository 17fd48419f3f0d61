/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entity that produced spans: one traced process and its host, as a list of attributes that all
 * spans of the process share. Reference counted, not thread safe.
 */
#ifndef WEFT_SPAN_RESOURCE_H
#define WEFT_SPAN_RESOURCE_H

#include <stdint.h>

#include "span/span.h"

#define RESOURCE_ATTRIBUTES_MAX 48

struct resource_attribute {
	const char *key; /* NUL-terminated */
	struct attribute value;
};

struct resource {
	unsigned int references;
	uint32_t pid;
	struct view service_name; /* also among the attributes */
	uint16_t n_attributes;
	/* keys and strings are the resource's */
	struct resource_attribute attributes[RESOURCE_ATTRIBUTES_MAX];
};

/*
 * A resource with one reference from `n` pairs of strings: pairs[2 * i] is the key, pairs[2 * i +
 * 1] the value. All are copied, as valid UTF-8. "process.pid" and "process.parent_pid" become
 * integers. Of pairs with the same key the last one counts; an empty key is no attribute. Pairs
 * beyond RESOURCE_ATTRIBUTES_MAX are left out, but never "service.name". -ENOMEM.
 */
int resource_new(uint32_t pid, const char *const *pairs, size_t n, struct resource **ret_resource);

struct resource *resource_ref(struct resource *resource);

/* Drops a reference; NULL is accepted. Returns NULL. */
struct resource *resource_unref(struct resource *resource);

#endif
