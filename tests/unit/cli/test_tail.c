/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/tail.h"
#include "control/span_json.h"
#include "export/line.h"
#include "span/resource.h"
#include "span/semconv.h"

struct screen {
	struct tail tail;
	char *text;
	size_t size;
};

static int setup(void **state)
{
	struct screen *screen = calloc(1, sizeof(*screen));

	assert_non_null(screen);
	screen->tail.out = open_memstream(&screen->text, &screen->size);
	*state = screen;
	return 0;
}

static int teardown(void **state)
{
	struct screen *screen = *state;

	fclose(screen->tail.out);
	free(screen->text);
	free(screen);
	return 0;
}

static int feed(struct screen *screen, const char *data)
{
	int r = tail_feed(&screen->tail, data, strlen(data));

	fflush(screen->tail.out);
	return r;
}

/* What the exporter to standard output shows of a span and what tail makes of its JSON is the same.
 */
static void test_same_line_as_stdout(void **state)
{
	static struct resource resource = { .references = 1,
					    .pid = 42,
					    .service_name = VIEW_INIT("shop") };
	struct attribute attributes[] = {
		{ .key = ATTR_HTTP_RESPONSE_STATUS_CODE, .type = ATTRIBUTE_INT, .integer = 503 },
		{ .key = ATTR_URL_PATH,
		  .type = ATTRIBUTE_STRING,
		  .text = "/users/7\033[2J",
		  .len = sizeof("/users/7\033[2J") - 1 },
	};
	const struct span span = {
		.trace_id = { 0x4b, 0xf9, 0x2f, [15] = 0x01 },
		.kind = SPAN_KIND_SERVER,
		.status = SPAN_STATUS_ERROR,
		.start_ns = 1700000000987000000,
		.end_ns = 1700000000987000000 + 1234567,
		.name = VIEW("GET /users/{id}"),
		.resource = &resource,
		.n_attributes = 2,
		.attributes = attributes,
	};
	struct screen *screen = *state;
	char wanted[LINE_MAX_LEN + 1] = "";
	json_t *json = span_json(&span);
	char *data = json_dumps(json, JSON_COMPACT);
	struct line line;

	line_of_span(&span, &line);
	line_format(&line, false, wanted);
	assert_int_equal(feed(screen, data), 0);
	assert_int_equal(feed(screen, "\n"), 0);
	assert_string_equal(screen->text, wanted);
	assert_non_null(strstr(wanted, "1.23 ms"));
	free(data);
	json_decref(json);
}

static void test_error_type(void **state)
{
	struct screen *screen = *state;

	assert_int_equal(feed(screen, "{\"kind\":\"client\",\"status\":\"error\",\"service\":\"a\","
				      "\"attributes\":{\"error.type\":\"reset\"}}\n"),
			 0);
	assert_non_null(strstr(screen->text, "CLIENT"));
	assert_non_null(strstr(screen->text, "reset"));
}

/* Bytes come as they come: one at a time, many lines at once. */
static void test_pieces(void **state)
{
	static const char data[] = "{\"name\":\"one\"}\n{\"name\":\"two\"}\n{\"na";
	struct screen *screen = *state;

	screen->tail.json = true;
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(tail_feed(&screen->tail, data + i, 1), 0);
	assert_int_equal(feed(screen, data + 20), 0);
	assert_string_equal(screen->text, "{\"name\":\"one\"}\n{\"name\":\"two\"}\n");
	assert_int_equal(feed(screen, "me\":\"three\"}\n"), 0);
	assert_non_null(strstr(screen->text, "{\"name\":\"three\"}\n"));
}

static void test_dropped(void **state)
{
	struct screen *screen = *state;

	assert_int_equal(feed(screen, "{\"dropped\":5}\n{\"dropped\":7}\n"), 0);
	assert_int_equal(screen->tail.dropped, 12);
	assert_string_equal(screen->text, "... 5 spans left out: the reader is too slow\n"
					  "... 7 spans left out: the reader is too slow\n");
}

static void test_refusal(void **state)
{
	struct screen *screen = *state;

	assert_int_equal(feed(screen, "{\"error\":\"only root may ask\"}\n"), -ECONNREFUSED);
	assert_string_equal(screen->tail.error, "only root may ask");
}

static void test_nonsense(void **state)
{
	struct screen *screen = *state;

	assert_int_equal(feed(screen, "hello\n"), -EBADMSG);
	assert_int_equal(feed(screen, "[]\n"), -EBADMSG);
	/* Members of any type are shown, or left out. */
	assert_int_equal(feed(screen,
			      "{\"name\":3,\"kind\":[],\"time\":\"x\",\"trace_id\":\"zz\","
			      "\"duration_ns\":-5,\"status_code\":99999,\"attributes\":7}\n"),
			 0);
}

static void test_endless_line(void **state)
{
	struct screen *screen = *state;
	char data[4096];
	int r = 0;

	memset(data, 'a', sizeof(data));
	for (size_t i = 0; i < 2 * TAIL_LINE_MAX / sizeof(data) && r == 0; i++)
		r = tail_feed(&screen->tail, data, sizeof(data));
	assert_int_equal(r, -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_line_as_stdout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_type, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(test_endless_line, setup, teardown),
	};

	return cmocka_run_group_tests_name("cli/tail", tests, NULL, NULL);
}
