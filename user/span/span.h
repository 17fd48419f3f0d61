/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A span as OpenTelemetry defines it: ids, times, kind, status and an attribute list. It knows no
 * protocol. Data only.
 *
 * A span is first built in a span_builder, which has room for the largest span that weft makes, and
 * then frozen by span_new() into one allocation of just its size.
 */
#ifndef WEFT_SPAN_SPAN_H
#define WEFT_SPAN_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "span/semconv.h"

#define TRACE_ID_LEN 16
#define SPAN_ID_LEN  8

/* opentelemetry.proto.trace.v1.Span.SpanKind */
enum span_kind {
	SPAN_KIND_INTERNAL = 1,
	SPAN_KIND_SERVER,
	SPAN_KIND_CLIENT,
	SPAN_KIND_PRODUCER,
	SPAN_KIND_CONSUMER,
};

/* opentelemetry.proto.trace.v1.Status.StatusCode */
enum span_status {
	SPAN_STATUS_UNSET,
	SPAN_STATUS_OK,
	SPAN_STATUS_ERROR,
};

/* W3C trace-flags (low 8 bits) and OTLP's two bits above them. */
#define SPAN_FLAG_SAMPLED	0x001u
#define SPAN_FLAG_RANDOM	0x002u
#define SPAN_FLAG_HAS_IS_REMOTE 0x100u
#define SPAN_FLAG_IS_REMOTE	0x200u

enum attribute_type {
	ATTRIBUTE_STRING,
	ATTRIBUTE_INT,
	ATTRIBUTE_DOUBLE,
	ATTRIBUTE_BOOL,
};

/* Small, for spans that wait for their trace are many. */
struct attribute {
	uint16_t key; /* enum attribute_key; of no meaning in a resource */
	uint8_t type; /* enum attribute_type */
	uint32_t len;
	union {
		const char *text; /* len bytes of valid UTF-8: the span's own text, or a constant */
		int64_t integer;
		double number;
		bool boolean;
	};
};

/* The value of an ATTRIBUTE_STRING. */
static inline struct view attribute_text(const struct attribute *attribute)
{
	return (struct view){ .data = attribute->text, .len = attribute->len };
}

static inline void attribute_set_text(struct attribute *attribute, struct view text)
{
	attribute->type = ATTRIBUTE_STRING;
	attribute->text = text.data;
	attribute->len = (uint32_t)text.len;
}

/* Numbers of keys stay below this. */
#define ATTRIBUTE_KEYS_MAX 64

#define SPAN_ATTRIBUTES_MAX 40
#define SPAN_TEXT_MAX	    12288
/* A longer string value is cut here, at a character boundary. */
#define SPAN_VALUE_MAX 8192

/* A span in another trace that this one has to do with. */
struct span_link {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[SPAN_ID_LEN];
	uint32_t flags; /* SPAN_FLAG_* */
	struct view trace_state;
};

struct resource;

struct span {
	uint8_t trace_id[TRACE_ID_LEN];
	uint8_t span_id[SPAN_ID_LEN];
	uint8_t parent_id[SPAN_ID_LEN]; /* zero: a root */
	uint32_t flags;			/* SPAN_FLAG_* */
	enum span_kind kind;
	enum span_status status;
	uint64_t start_ns; /* CLOCK_MONOTONIC until the pipeline hands it to export: then Unix time
			    */
	uint64_t end_ns;
	struct view name;
	struct view status_message;
	struct view trace_state;
	struct span_link *link;	   /* NULL: none */
	struct resource *resource; /* a reference is held */
	uint16_t n_attributes;
	uint16_t dropped_attributes;
	struct attribute *attributes;
	uint32_t size;	   /* of the frozen span's allocation, set by span_new() */
	struct span *next; /* for whoever holds the span in a list */
};

struct span_builder {
	struct span span;
	struct span_link link; /* of the span, if it has one */
	struct attribute attributes[SPAN_ATTRIBUTES_MAX];
	uint8_t places[ATTRIBUTE_KEYS_MAX]; /* by key: its index in the list + 1; 0: not there */
	size_t text_used;
	char text[SPAN_TEXT_MAX];
};

/* Empties the builder. Does not touch the lists: cheap. */
void span_builder_init(struct span_builder *builder);

/*
 * Copies a string into the builder's text. Bytes that are not valid UTF-8 become U+FFFD; a value
 * longer than SPAN_VALUE_MAX or than the room left is cut at a character boundary.
 */
struct view span_text(struct span_builder *builder, struct view value);

/*
 * Each sets one attribute; setting a key again replaces its value. When the list is full the
 * attribute is counted in dropped_attributes. Empty strings are kept.
 */
void span_set_string(struct span_builder *builder, enum attribute_key key, struct view value);
void span_set_int(struct span_builder *builder, enum attribute_key key, int64_t value);
void span_set_double(struct span_builder *builder, enum attribute_key key, double value);
void span_set_bool(struct span_builder *builder, enum attribute_key key, bool value);

/*
 * As span_set_string(), of valid UTF-8 that is not copied: it lives for ever, or span_text() gave
 * it, or it is a part of what that gave.
 */
void span_set_text(struct span_builder *builder, enum attribute_key key, struct view text);

/*
 * Gives the span its one link, or replaces it: zeroed, to be filled in. Texts are as those of
 * span_set_text().
 */
struct span_link *span_set_link(struct span_builder *builder);

/*
 * The attribute of that key, to read or to change its value; NULL: there is none. Lives until the
 * next attribute is set or taken out.
 */
struct attribute *span_builder_attribute(struct span_builder *builder, enum attribute_key key);

/* NULL if there is no such attribute. The pointer lives until the next change of the span. */
const struct attribute *span_attribute(const struct span *span, enum attribute_key key);

/* Takes the attribute out of a frozen span, if it is there. */
void span_remove(struct span *span, enum attribute_key key);

/*
 * A frozen copy of the builder's span in one allocation, with a reference to its resource.
 * NULL: no memory.
 */
struct span *span_new(const struct span_builder *builder);

/* Bytes of memory that the frozen span occupies. */
size_t span_size(const struct span *span);

/* Frees a frozen span and drops its reference; NULL is accepted. Returns NULL. */
struct span *span_free(struct span *span);

#endif
