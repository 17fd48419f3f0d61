/* SPDX-License-Identifier: Apache-2.0 */
#include "control/span_json.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "span/resource.h"
#include "span/semconv.h"

static json_t *text_json(struct view text)
{
	json_t *json = json_stringn(text.len ? text.data : "", text.len);

	/* Spans hold valid UTF-8; what a resource holds was written by others. */
	return json ? json : json_string("(not UTF-8)");
}

/* RFC 3339 with milliseconds, UTC. */
static json_t *time_json(uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / NS_PER_SEC);
	char text[48], whole[32];
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) || !strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &utc))
		return json_string("");
	snprintf(text, sizeof(text), "%s.%03uZ", whole,
		 (unsigned int)(unix_ns % NS_PER_SEC / NS_PER_MS));
	return json_string(text);
}

static json_t *id_json(const uint8_t *id, size_t len)
{
	char text[2 * TRACE_ID_LEN + 1] = "";

	for (size_t i = 0; i < len && i < TRACE_ID_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return json_string(text);
}

static json_t *kind_json(enum span_kind kind)
{
	static const char *const names[] = {
		[SPAN_KIND_INTERNAL] = "internal", [SPAN_KIND_SERVER] = "server",
		[SPAN_KIND_CLIENT] = "client",	   [SPAN_KIND_PRODUCER] = "producer",
		[SPAN_KIND_CONSUMER] = "consumer",
	};

	if (kind < SPAN_KIND_INTERNAL || kind > SPAN_KIND_CONSUMER)
		return json_string("internal");
	return json_string(names[kind]);
}

static json_t *status_json(enum span_status status)
{
	switch (status) {
	case SPAN_STATUS_OK:
		return json_string("ok");
	case SPAN_STATUS_ERROR:
		return json_string("error");
	case SPAN_STATUS_UNSET:
		break;
	}
	return json_string("unset");
}

static json_t *attribute_json(const struct attribute *attribute)
{
	switch (attribute->type) {
	case ATTRIBUTE_STRING:
		return text_json(attribute_text(attribute));
	case ATTRIBUTE_INT:
		return json_integer(attribute->integer);
	case ATTRIBUTE_DOUBLE:
		/* JSON has no word for infinity and for what is not a number. */
		return isfinite(attribute->number) ? json_real(attribute->number) : json_null();
	case ATTRIBUTE_BOOL:
		return json_boolean(attribute->boolean);
	}
	return json_null();
}

static json_t *attributes_json(const struct span *span)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < span->n_attributes; i++)
		json_object_set_new(object, attribute_key_name(span->attributes[i].key),
				    attribute_json(&span->attributes[i]));
	return object;
}

static json_t *links_json(const struct span_link *link)
{
	return json_pack("[{s:o, s:o}]", "trace_id", id_json(link->trace_id, TRACE_ID_LEN),
			 "span_id", id_json(link->span_id, SPAN_ID_LEN));
}

json_t *span_json(const struct span *span)
{
	static const uint8_t no_parent[SPAN_ID_LEN];
	const struct attribute *code = span_attribute(span, ATTR_HTTP_RESPONSE_STATUS_CODE);
	const struct resource *resource = span->resource;
	json_t *object = json_object();
	int r = 0;

	/* Setting a value that is NULL, for lack of memory, or in no object fails: one check is
	 * enough. */
	r |= json_object_set_new(object, "time", time_json(span->start_ns));
	r |= json_object_set_new(object, "service",
				 text_json(resource ? resource->service_name : (struct view){ 0 }));
	r |= json_object_set_new(object, "pid", json_integer(resource ? resource->pid : 0));
	r |= json_object_set_new(object, "kind", kind_json(span->kind));
	r |= json_object_set_new(object, "name", text_json(span->name));
	r |= json_object_set_new(object, "status", status_json(span->status));
	if (code && code->type == ATTRIBUTE_INT)
		r |= json_object_set_new(object, "status_code", json_integer(code->integer));
	r |= json_object_set_new(object, "duration_ns",
				 json_integer((json_int_t)(span->end_ns - span->start_ns)));
	r |= json_object_set_new(object, "trace_id", id_json(span->trace_id, TRACE_ID_LEN));
	r |= json_object_set_new(object, "span_id", id_json(span->span_id, SPAN_ID_LEN));
	if (memcmp(span->parent_id, no_parent, SPAN_ID_LEN) != 0)
		r |= json_object_set_new(object, "parent_id",
					 id_json(span->parent_id, SPAN_ID_LEN));
	if (span->trace_state.len > 0)
		r |= json_object_set_new(object, "trace_state", text_json(span->trace_state));
	if (span->link)
		r |= json_object_set_new(object, "links", links_json(span->link));
	r |= json_object_set_new(object, "attributes", attributes_json(span));
	if (r != 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
