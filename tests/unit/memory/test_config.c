/* SPDX-License-Identifier: Apache-2.0 */
/* config, with every allocation failing once: there is a configuration, or an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "lib/failing.h"

static const char yaml[] = "port: [80, 443]\n"
			   "exe:\n  - /usr/bin/*\n  - /opt/*\n"
			   "query_keys: page,size\n"
			   "propagators: [b3, tracecontext]\n"
			   "propagate:\n  to: [loopback, 10.0.0.0/8, 'fe80::/10']\n"
			   "otlp:\n  headers:\n    authorization: Bearer a%20b\n";

static void run(void *context)
{
	char flag[] = "--config", export[] = "--export", target[] = "file:/tmp/spans";
	char url[] = "http://localhost:4318/";
	char *arguments[] = { flag, context, export, target, export, url };
	char service[] = "OTEL_SERVICE_NAME=shop", headers[] = "OTEL_EXPORTER_OTLP_HEADERS=a=b,c=d";
	char pairs[] = "OTEL_RESOURCE_ATTRIBUTES=k=v,l=w", ratio[] = "OTEL_TRACES_SAMPLER_ARG=0.5";
	char *const environment[] = { service, headers, pairs, ratio, NULL };
	struct config_messages messages = { 0 };
	struct config config = { 0 };
	int r = config_load(&config, CONFIG_DOCTOR, sizeof(arguments) / sizeof(arguments[0]),
			    arguments, environment, &messages);

	if (r == 0) {
		/* whatever could not be had: nothing that was asked for is left out */
		assert_int_equal(config.targets.n, 2);
		assert_int_equal(config.ports.n, 2);
		assert_int_equal(config.exes.n, 2);
		assert_int_equal(config.query_keys.n, 2);
		assert_int_equal(config.propagators.n, 2);
		assert_non_null(config.socket);
	} else {
		if (!failing_happened())
			fail_msg("%s", messages.error);
		assert_true(messages.error[0] != '\0');
	}
	config_clear(&config);
	config_messages_clear(&messages);
}

static void test_load(void **state)
{
	char file[] = "/tmp/weft-test-XXXXXX";
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
	close(fd);
	every_allocation_fails(run, file);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_load) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
