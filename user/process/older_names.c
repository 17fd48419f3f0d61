/* SPDX-License-Identifier: Apache-2.0 */
#include "process/older_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocols/rpc_status.h"
#include "span/semconv.h"

struct older_names {
	struct processor base;
	bool rpc;
};

static int older_names_start(const struct processor_options *options,
			     struct processor **ret_processor)
{
	struct older_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->base.ops = &processor_older_names;
	names->rpc = options->older_rpc_names;
	*ret_processor = &names->base;
	return 0;
}

/* Empty: the span has no such attribute. Texts of the builder stay where they are. */
static struct view text_of(struct span_builder *builder, enum attribute_key key)
{
	const struct attribute *attribute = span_builder_attribute(builder, key);

	return attribute ? attribute_text(attribute) : VIEW("");
}

/* Semantic conventions 1.37, "RPC spans", "gRPC" and "Connect RPC". */
static void add_rpc(struct span_builder *builder)
{
	struct view system = text_of(builder, ATTR_RPC_SYSTEM_NAME);
	struct view service = text_of(builder, ATTR_RPC_METHOD);
	struct view status = text_of(builder, ATTR_RPC_RESPONSE_STATUS_CODE);
	const char *slash = service.len > 0 ? memrchr(service.data, '/', service.len) : NULL;
	bool grpc = view_equal(system, VIEW("grpc"));

	if (system.len == 0)
		return;
	span_set_text(builder, ATTR_RPC_SYSTEM, grpc ? VIEW("grpc") : VIEW("connect_rpc"));
	if (slash) {
		service.len = (size_t)(slash - service.data);
		span_set_text(builder, ATTR_RPC_SERVICE, service);
	}
	if (status.len == 0)
		return;
	if (grpc)
		span_set_int(builder, ATTR_RPC_GRPC_STATUS_CODE, rpc_status_of_name(status));
	else /* which had another spelling for one of them */
		span_set_text(builder, ATTR_RPC_CONNECT_ERROR_CODE,
			      view_equal(status, VIEW("canceled")) ? VIEW("cancelled") : status);
}

static void older_names_process(struct processor *processor, struct span_builder *builder)
{
	if (((const struct older_names *)processor)->rpc)
		add_rpc(builder);
}

static void older_names_stop(struct processor *processor)
{
	free(processor);
}

const struct processor_ops processor_older_names = {
	.name = "older_names",
	.start = older_names_start,
	.process = older_names_process,
	.stop = older_names_stop,
};
