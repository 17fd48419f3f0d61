/* SPDX-License-Identifier: Apache-2.0 */
#include "process/route.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "process/route_table.h"
#include "span/resource.h"
#include "span/semconv.h"

/* RFC 9110 section 9, RFC 5789 (PATCH), the QUERY method; the last stands for all others. */
static const struct view method_names[] = {
	VIEW_INIT("GET"),     VIEW_INIT("POST"),    VIEW_INIT("PUT"),	VIEW_INIT("DELETE"),
	VIEW_INIT("HEAD"),    VIEW_INIT("OPTIONS"), VIEW_INIT("PATCH"), VIEW_INIT("TRACE"),
	VIEW_INIT("CONNECT"), VIEW_INIT("QUERY"),   VIEW_INIT("HTTP"),
};

#define N_METHODS    (sizeof(method_names) / sizeof(method_names[0]))
#define METHOD_OTHER (N_METHODS - 1)
#define METHOD_MAX   8

static_assert(N_METHODS == ROUTE_METHODS_MAX, "the table counts with each of them");

struct route_processor {
	struct processor base;
	struct route_table *table;
};

/* What the name depends on; NULL: the span has no such attribute. */
struct request_facts {
	const struct attribute *method;
	const struct attribute *path;
	const struct attribute *route;
	const struct attribute *status;
};

static int route_start(const struct processor_options *options, struct processor **ret_processor)
{
	_cleanup_free_ struct route_processor *route = calloc(1, sizeof(*route));
	int r;

	(void)options;
	if (!route)
		return -ENOMEM;
	route->base.ops = &processor_route;
	r = route_table_new(&route->table);
	if (r < 0)
		return r;
	*ret_processor = &TAKE_PTR(route)->base;
	return 0;
}

static const struct attribute *typed(const struct attribute *attribute, enum attribute_type type)
{
	return attribute && attribute->type == type ? attribute : NULL;
}

static struct request_facts facts_of(struct span_builder *builder)
{
	return (struct request_facts){
		.method = typed(span_builder_attribute(builder, ATTR_HTTP_REQUEST_METHOD),
				ATTRIBUTE_STRING),
		.path = typed(span_builder_attribute(builder, ATTR_URL_PATH), ATTRIBUTE_STRING),
		.route = typed(span_builder_attribute(builder, ATTR_HTTP_ROUTE), ATTRIBUTE_STRING),
		.status = typed(span_builder_attribute(builder, ATTR_HTTP_RESPONSE_STATUS_CODE),
				ATTRIBUTE_INT),
	};
}

static unsigned int method_index(struct view method)
{
	unsigned int i = 0;

	while (i < METHOD_OTHER && !view_equal(method, method_names[i]))
		i++;
	return i;
}

static size_t text_room(const struct span_builder *builder)
{
	return sizeof(builder->text) - builder->text_used;
}

/* A name that is cut would be a new name: without room the span keeps the one it has. */
static void set_name(struct span_builder *builder, struct view name)
{
	if (!view_equal(builder->span.name, name) && text_room(builder) >= name.len)
		builder->span.name = span_text(builder, name);
}

/* Builds "METHOD route" in one place, so that the route is a part of it. */
struct name_buffer {
	size_t route_at;
	size_t len;
	char text[METHOD_MAX + 1 + SPAN_VALUE_MAX];
};

static void name_start(struct name_buffer *name, unsigned int method)
{
	struct view word = method_names[method];

	memcpy(name->text, word.data, word.len);
	name->text[word.len] = ' ';
	name->route_at = word.len + 1;
}

static struct view name_view(const struct name_buffer *name)
{
	return (struct view){ .data = name->text, .len = name->len };
}

static void name_by_known_route(struct span_builder *builder, unsigned int method,
				struct view route)
{
	struct name_buffer name;

	if (route.len > SPAN_VALUE_MAX)
		return;
	name_start(&name, method);
	memcpy(name.text + name.route_at, route.data, route.len);
	name.len = name.route_at + route.len;
	set_name(builder, name_view(&name));
}

static void name_by_path(struct route_processor *processor, struct span_builder *builder,
			 unsigned int method, const struct request_facts *facts)
{
	struct span *span = &builder->span;
	struct route_request request = {
		.path = attribute_text(facts->path),
		.method = method,
		.now_ns = span->end_ns,
	};
	struct name_buffer name;

	if (text_room(builder) < METHOD_MAX + 1 + 2 * ROUTE_LEN_MAX) {
		set_name(builder, method_names[method]);
		return;
	}
	if (span->resource)
		request.service = span->resource->service_name;
	if (facts->status && facts->status->integer > 0 && facts->status->integer <= UINT16_MAX)
		request.status = (uint16_t)facts->status->integer;

	name_start(&name, method);
	name.len = name.route_at +
		   route_table_route(processor->table, &request, name.text + name.route_at);
	builder->span.name = span_text(builder, name_view(&name));
	span_set_text(builder, ATTR_HTTP_ROUTE, view_from(builder->span.name, name.route_at));
	span_set_bool(builder, ATTR_WEFT_ROUTE_INFERRED, true);
}

static void route_process(struct processor *processor, struct span_builder *builder)
{
	struct route_processor *route = (struct route_processor *)processor;
	struct request_facts facts = facts_of(builder);
	unsigned int method;

	if (!facts.method)
		return;
	method = method_index(attribute_text(facts.method));

	if (builder->span.kind == SPAN_KIND_SERVER && facts.route)
		name_by_known_route(builder, method, attribute_text(facts.route));
	else if (builder->span.kind == SPAN_KIND_SERVER && facts.path &&
		 view_starts_with(attribute_text(facts.path), VIEW("/")) &&
		 !view_equal(method_names[method], VIEW("CONNECT")))
		name_by_path(route, builder, method, &facts);
	else
		set_name(builder, method_names[method]);
}

static void route_stop(struct processor *processor)
{
	struct route_processor *route = (struct route_processor *)processor;

	route_table_free(route->table);
	free(route);
}

const struct processor_ops processor_route = {
	.name = "route",
	.start = route_start,
	.process = route_process,
	.stop = route_stop,
};
