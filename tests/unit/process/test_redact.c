/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "process/redact.h"
#include "span/semconv.h"

struct sample {
	const char *in;
	const char *expected;
};

static const struct redact_keys keep_none = { 0 };

typedef size_t (*redact_fn)(struct view text, const struct redact_keys *kept, char *out,
			    size_t size, bool *ret_cut);

static void check(redact_fn rewrite, const struct redact_keys *kept, const struct sample *sample)
{
	char out[1024];
	bool cut = true;
	size_t len = rewrite(view_of(sample->in), kept, out, sizeof(out) - 1, &cut);

	out[len] = '\0';
	assert_string_equal(out, sample->expected);
	assert_false(cut);
}

static void test_query_values_are_redacted(void **state)
{
	static const struct sample samples[] = {
		{ "", "" },
		{ "a=1&b=2", "a=REDACTED&b=REDACTED" },
		{ "a=&b=2", "a=&b=REDACTED" },
		{ "a=1&&b=2&", "a=REDACTED&&b=REDACTED&" },
		{ "filter%5Bname%5D=bob%20b", "filter%5Bname%5D=REDACTED" },
		{ "ids%5B%5D=", "ids%5B%5D=" },
		{ "a=b=c", "a=REDACTED" },
		{ "a=1;b=2", "a=REDACTED" },
		{ "=secret", "=REDACTED" },
		{ "a=REDACTED", "a=REDACTED" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check(redact_query, &keep_none, &samples[i]);
}

static void test_pieces_without_name(void **state)
{
	static const struct sample samples[] = {
		{ "wsdl", "wsdl" },
		{ "dryRun", "dryRun" },
		{ "list-type", "list-type" },
		{ "hunter2", "REDACTED" },
		{ "getUserById=", "getUserById=" },
		{ "debug&x=1", "debug&x=REDACTED" },
		{ "12345", "REDACTED" },
		{ "dGVzdDpzZWNyZXQxMjM0", "REDACTED" },
		{ "dGVzdA==", "REDACTED" },
		{ "c2VjcmV0IHRva2VuIDEy=", "REDACTED" },
		{ "hello%20world", "REDACTED" },
		{ "anextremelylongwordwithoutanydigit", "REDACTED" },
		{ "bob@example.com", "REDACTED" },
		{ "x#access", "REDACTED" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check(redact_query, &keep_none, &samples[i]);
}

static void test_listed_names_keep_values(void **state)
{
	static const char *const names[] = { "page", "sort" };
	static const struct redact_keys kept = { .names = names, .n = 2 };
	static const struct sample sample = { "page=2&sort=name&Page=3&pages=4&q=x",
					      "page=2&sort=name&Page=REDACTED&pages=REDACTED"
					      "&q=REDACTED" };

	(void)state;
	check(redact_query, &kept, &sample);
}

static void test_star_keeps_all_but_credentials(void **state)
{
	static const char *const names[] = { "*", "token" };
	static const struct redact_keys kept = { .names = names, .n = 2 };
	static const struct sample sample = { "q=x&12345&sig=abc&x-amz-signature=abc&token=t",
					      "q=x&12345&sig=REDACTED&x-amz-signature=REDACTED"
					      "&token=t" };

	(void)state;
	check(redact_query, &kept, &sample);
}

static void test_url(void **state)
{
	static const struct sample samples[] = {
		{ "http://host:80/a/b?x=1&y=2", "http://host:80/a/b?x=REDACTED&y=REDACTED" },
		{ "https://user:pass@host/a", "https://REDACTED:REDACTED@host/a" },
		{ "https://user@host/a?b", "https://REDACTED@host/a?b" },
		{ "http://u:p@ss@host", "http://REDACTED:REDACTED@host" },
		{ "http://host/a@b:c", "http://host/a@b:c" },
		{ "http://host?x=1", "http://host?x=REDACTED" },
		{ "http://host/#token", "http://host/#REDACTED" },
		{ "http://host/?a=1#t", "http://host/?a=REDACTED#REDACTED" },
		{ "http://host/?", "http://host/?" },
		{ "//u:p@host/x", "//REDACTED:REDACTED@host/x" },
		{ "u:p@host:443", "REDACTED:REDACTED@host:443" },
		{ "/path?x=http://u:p@h/", "/path?x=REDACTED" },
		{ "http://[::1]:80/x", "http://[::1]:80/x" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check(redact_url, &keep_none, &samples[i]);
}

static void test_long_name_is_a_value(void **state)
{
	char query[REDACT_NAME_MAX + 8], expected[REDACT_NAME_MAX + 16];
	struct sample sample = { query, expected };

	(void)state;
	memset(query, 'k', sizeof(query));
	strcpy(query + REDACT_NAME_MAX, "=v");
	strcpy(expected, query);
	strcpy(expected + REDACT_NAME_MAX, "=REDACTED");
	check(redact_query, &keep_none, &sample);

	strcpy(query + REDACT_NAME_MAX, "k=v");
	strcpy(expected, "REDACTED=REDACTED");
	check(redact_query, &keep_none, &sample);
}

static void test_cut_between_parameters(void **state)
{
	char out[25];
	bool cut = false;
	size_t len = redact_query(VIEW("a=1&b=2&c=3"), &keep_none, out, sizeof(out), &cut);

	(void)state;
	assert_true(cut);
	assert_int_equal(len, strlen("a=REDACTED&b=REDACTED"));
	assert_memory_equal(out, "a=REDACTED&b=REDACTED", len);
}

static struct process_chain *chain_of(const struct processor_options *options)
{
	struct process_chain *chain;

	assert_int_equal(process_chain_new(options, &chain), 0);
	return chain;
}

static void assert_attribute(const struct span_builder *builder, enum attribute_key key,
			     const char *expected)
{
	const struct attribute *attribute = span_attribute(&builder->span, key);

	assert_non_null(attribute);
	assert_int_equal(attribute->type, ATTRIBUTE_STRING);
	assert_int_equal(attribute->len, strlen(expected));
	assert_memory_equal(attribute->text, expected, strlen(expected));
}

static void test_span_attributes(void **state)
{
	const struct processor_options options = { 0 };
	struct process_chain *chain = chain_of(&options);
	_cleanup_free_ struct span_builder *builder = malloc(sizeof(*builder));

	(void)state;
	assert_non_null(builder);
	span_builder_init(builder);
	span_set_string(builder, ATTR_URL_QUERY, VIEW("code=topsecretvalue&b=1"));
	span_set_string(builder, ATTR_URL_PATH, VIEW("/a?b=1"));
	span_set_string(builder, ATTR_URL_FULL, VIEW("http://bob:topsecretvalue@h/?c=1"));
	process_chain_run(chain, builder);

	assert_attribute(builder, ATTR_URL_QUERY, "code=REDACTED&b=REDACTED");
	assert_attribute(builder, ATTR_URL_PATH, "/a?b=1");
	assert_attribute(builder, ATTR_URL_FULL, "http://REDACTED:REDACTED@h/?c=REDACTED");
	/* Not even the bytes that nothing refers to any more. */
	assert_null(memmem(builder->text, builder->text_used, "topsecret", 9));
	process_chain_free(chain);
}

static void check_huge_query(struct process_chain *chain, size_t len)
{
	_cleanup_free_ struct span_builder *builder = malloc(sizeof(*builder));
	const struct attribute *attribute;
	char query[SPAN_VALUE_MAX];

	assert_non_null(builder);
	for (size_t i = 0; i < sizeof(query); i++)
		query[i] = "a=1&"[i % 4];
	span_builder_init(builder);
	builder->span.kind = SPAN_KIND_SERVER;
	span_set_string(builder, ATTR_HTTP_REQUEST_METHOD, VIEW("GET"));
	span_set_string(builder, ATTR_URL_PATH, VIEW("/users/1"));
	span_set_string(builder, ATTR_URL_QUERY, (struct view){ query, len });
	process_chain_run(chain, builder);

	attribute = span_attribute(&builder->span, ATTR_URL_QUERY);
	assert_in_range(attribute->len, len - 16, SPAN_VALUE_MAX);
	assert_memory_equal(attribute->text + attribute->len - 8, "REDACTED", 8);
	assert_null(memchr(attribute->text, '1', attribute->len));
	attribute = span_attribute(&builder->span, ATTR_WEFT_TRUNCATED);
	assert_non_null(attribute);
	assert_true(attribute->boolean);
	assert_attribute(builder, ATTR_HTTP_ROUTE, "/users/{id}");
}

/* A query that grows by redaction must not take the room of the name and the route. */
static void test_huge_query_leaves_room_for_the_name(void **state)
{
	const struct processor_options options = { 0 };
	struct process_chain *chain = chain_of(&options);

	(void)state;
	for (size_t len = 4000; len <= SPAN_VALUE_MAX; len += 500)
		check_huge_query(chain, len);
	process_chain_free(chain);
}

static void test_options_reach_the_processor(void **state)
{
	static const char *const names[] = { "page" };
	const struct processor_options options = { .query_keys_kept = names,
						   .n_query_keys_kept = 1 };
	struct process_chain *chain = chain_of(&options);
	_cleanup_free_ struct span_builder *builder = malloc(sizeof(*builder));

	(void)state;
	assert_non_null(builder);
	span_builder_init(builder);
	span_set_string(builder, ATTR_URL_QUERY, VIEW("page=7&q=x"));
	process_chain_run(chain, builder);
	assert_attribute(builder, ATTR_URL_QUERY, "page=7&q=REDACTED");
	process_chain_free(chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query_values_are_redacted),
		cmocka_unit_test(test_pieces_without_name),
		cmocka_unit_test(test_listed_names_keep_values),
		cmocka_unit_test(test_star_keeps_all_but_credentials),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_long_name_is_a_value),
		cmocka_unit_test(test_cut_between_parameters),
		cmocka_unit_test(test_span_attributes),
		cmocka_unit_test(test_huge_query_leaves_room_for_the_name),
		cmocka_unit_test(test_options_reach_the_processor),
	};

	return cmocka_run_group_tests_name("process/redact", tests, NULL, NULL);
}
