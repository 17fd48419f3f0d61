/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "process/older_names.h"
#include "span/semconv.h"

static struct span_builder builder;

static void run(bool older)
{
	const struct processor_options options = { .older_rpc_names = older };
	struct processor *processor;

	assert_int_equal(processor_older_names.start(&options, &processor), 0);
	processor_older_names.process(processor, &builder);
	(*processor_older_names.stop)(processor); /* stop() is a macro of cmocka 2 */
}

static void fill(const char *system, const char *status)
{
	span_builder_init(&builder);
	span_set_string(&builder, ATTR_RPC_SYSTEM_NAME, view_of(system));
	span_set_string(&builder, ATTR_RPC_METHOD, VIEW("shop.Cart/AddItem"));
	if (status)
		span_set_string(&builder, ATTR_RPC_RESPONSE_STATUS_CODE, view_of(status));
}

static void assert_text(enum attribute_key key, const char *text)
{
	const struct attribute *attribute = span_attribute(&builder.span, key);

	assert_int_equal(attribute != NULL, text != NULL);
	if (!text)
		return;
	assert_int_equal(attribute->len, strlen(text));
	assert_memory_equal(attribute->text, text, attribute->len);
}

static void test_off(void **state)
{
	(void)state;
	fill("grpc", "OK");
	run(false);
	assert_int_equal(builder.span.n_attributes, 3);
}

static void test_grpc(void **state)
{
	(void)state;
	fill("grpc", "UNAVAILABLE");
	run(true);
	assert_text(ATTR_RPC_SYSTEM, "grpc");
	assert_text(ATTR_RPC_SERVICE, "shop.Cart");
	assert_text(ATTR_RPC_METHOD, "shop.Cart/AddItem");
	assert_text(ATTR_RPC_RESPONSE_STATUS_CODE, "UNAVAILABLE");
	assert_int_equal(span_attribute(&builder.span, ATTR_RPC_GRPC_STATUS_CODE)->integer, 14);
	fill("grpc", NULL);
	run(true);
	assert_null(span_attribute(&builder.span, ATTR_RPC_GRPC_STATUS_CODE));
}

static void test_connect(void **state)
{
	(void)state;
	fill("connectrpc", "canceled");
	run(true);
	assert_text(ATTR_RPC_SYSTEM, "connect_rpc");
	assert_text(ATTR_RPC_CONNECT_ERROR_CODE, "cancelled");
	assert_null(span_attribute(&builder.span, ATTR_RPC_GRPC_STATUS_CODE));
	fill("connectrpc", "not_found");
	run(true);
	assert_text(ATTR_RPC_CONNECT_ERROR_CODE, "not_found");
}

static void test_no_call(void **state)
{
	(void)state;
	span_builder_init(&builder);
	span_set_string(&builder, ATTR_URL_PATH, VIEW("/a/b"));
	run(true);
	assert_int_equal(builder.span.n_attributes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_grpc),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_no_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
