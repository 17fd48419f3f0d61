/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control, and the commands that ask it, with every allocation failing once: a client gets an
 * answer or the end of its connection, and spans that it did not get are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/ps.h"
#include "cli/tail.h"
#include "control/control.h"
#include "lib/failing.h"
#include "span/resource.h"

#define SPANS 3

static char path[64];

static json_t *answer_ps(void *context)
{
	(void)context;
	return json_pack("{s:s, s:[{s:i}], s:{s:{}}, s:{s:s}}", "version", "1", "processes", "pid",
			 7, "counters", "dropped", "hooks", "a", "b");
}

static void turn(sd_event *loop)
{
	while (sd_event_run(loop, 0) > 0)
		;
}

static int ask(sd_event *loop, const char *request)
{
	char text[128];
	int fd = -1, r = client_ask(path, request, &fd, text, sizeof(text));

	assert_int_equal(r, 0);
	turn(loop);
	return fd;
}

static void show(const char *data, size_t size)
{
	json_t *answer = json_loadb(data, size, 0, NULL);
	FILE *out = fopen("/dev/null", "w");
	int r;

	assert_true(answer || failing_happened());
	assert_non_null(out);
	r = ps_print(out, answer);
	assert_true(r == 0 || (r == -ENOMEM && failing_happened()));
	fclose(out);
	json_decref(answer);
}

static void ask_ps(sd_event *loop)
{
	char *data = NULL;
	size_t size = 0;
	int fd = ask(loop, "ps"), r = client_read_all(fd, &data, &size);

	/* the daemon may have closed before it has read what was asked */
	assert_true(r == 0 || ((r == -ENOMEM || r == -ECONNRESET) && failing_happened()));
	assert_true(size > 0 || failing_happened());
	if (r == 0 && size)
		show(data, size);
	free(data);
	close(fd);
}

/* Counts the spans in what came, and those that it says are left out. */
static unsigned int received(int fd)
{
	static char text[1 << 16];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	unsigned int spans = 0, dropped;

	text[n > 0 ? n : 0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		spans += sscanf(line, "{\"dropped\":%u}", &dropped) == 1 ? 0 : 1;
	return spans;
}

static void ask_tail(sd_event *loop, struct control *control)
{
	static struct resource resource = { .references = 1,
					    .pid = 1,
					    .service_name = VIEW_INIT("shop") };
	const struct span span = { .name = VIEW("GET /"), .resource = &resource };
	uint64_t before = control_counters(control).dropped;
	int fd = ask(loop, "tail");
	unsigned int tails = control_counters(control).tails;

	for (int i = 0; i < SPANS; i++)
		control_publish(control, &span);
	turn(loop);
	if (tails)
		assert_int_equal(received(fd) + control_counters(control).dropped - before, SPANS);
	else
		assert_true(failing_happened());
	close(fd);
	turn(loop);
	assert_int_equal(control_counters(control).tails, 0);
}

static void run(void *context)
{
	const struct control_callbacks callbacks = { .ps = answer_ps, .uid = getuid() };
	struct control *control = NULL;
	sd_event *loop = NULL;
	int fd = -1, r;

	(void)context;
	assert_true(sd_event_new(&loop) >= 0);
	r = control_listen(path, &fd);
	if (r == 0)
		r = control_start(loop, fd, &callbacks, &control);
	if (r == 0) {
		ask_tail(loop, control);
		/* a client that is not let in is closed: those after it are */
		ask_ps(loop);
		turn(loop);
		assert_int_equal(control_counters(control).clients, 0);
		control_stop(control);
	} else {
		assert_true(r == -ENOMEM && failing_happened());
		if (fd >= 0)
			close(fd);
	}
	sd_event_unref(loop);
	unlink(path);
}

static void test_clients(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/weft-test-memory-%d.sock", getpid());
	every_allocation_fails(run, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clients) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
