/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "process/processor.h"
#include "span/semconv.h"

static struct span_builder builder;

/* All of them, in their order: the limits hold for what redaction and naming wrote. */
static void test_chain_runs_all(void **state)
{
	const struct processor_options options = { .attribute_value_length_limit = 9 };
	struct process_chain *chain = NULL;
	const struct attribute *attribute;

	(void)state;
	assert_int_equal(process_chain_new(&options, &chain), 0);
	span_builder_init(&builder);
	builder.span.kind = SPAN_KIND_SERVER;
	span_set_string(&builder, ATTR_HTTP_REQUEST_METHOD, VIEW("GET"));
	span_set_string(&builder, ATTR_URL_PATH, VIEW("/products/77"));
	span_set_string(&builder, ATTR_URL_QUERY, VIEW("k=v"));
	process_chain_run(chain, &builder);

	assert_int_equal(builder.span.name.len, strlen("GET /products/{id}"));
	assert_memory_equal(builder.span.name.data, "GET /products/{id}", builder.span.name.len);
	attribute = span_attribute(&builder.span, ATTR_HTTP_ROUTE);
	assert_int_equal(attribute->len, 9);
	assert_memory_equal(attribute->text, "/products", 9);
	attribute = span_attribute(&builder.span, ATTR_URL_QUERY);
	assert_int_equal(attribute->len, 9);
	assert_memory_equal(attribute->text, "k=REDACTE", 9);
	assert_null(process_chain_free(chain));
}

static void test_free_accepts_null(void **state)
{
	(void)state;
	assert_null(process_chain_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain_runs_all),
		cmocka_unit_test(test_free_accepts_null),
	};

	return cmocka_run_group_tests_name("process/processor", tests, NULL, NULL);
}
