/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol over a real socket, with clients that behave and clients that do not. */
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
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "control/control.h"
#include "span/resource.h"

/* Long enough for a busy machine to serve two clients, short enough to wait for. */
#define PATIENCE_US (300 * 1000)

struct daemon {
	char directory[64];
	char path[96];
	sd_event *loop;
	struct control *control;
	size_t answer_size; /* of an extra member in the answer of ps */
};

static json_t *answer_ps(void *context)
{
	struct daemon *daemon = context;
	json_t *json = json_pack("{s:s}", "version", "9");
	char *text = calloc(1, daemon->answer_size + 1);

	assert_non_null(text);
	memset(text, 'x', daemon->answer_size);
	json_object_set_new(json, "extra", json_string(text));
	free(text);
	return json;
}

static int start(void **state, uint64_t patience_us)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	const struct control_callbacks callbacks = {
		.ps = answer_ps, .context = daemon, .uid = getuid(), .patience_us = patience_us
	};
	int fd;

	assert_non_null(daemon);
	snprintf(daemon->directory, sizeof(daemon->directory), "/tmp/weft-test-XXXXXX");
	assert_non_null(mkdtemp(daemon->directory));
	snprintf(daemon->path, sizeof(daemon->path), "%s/sock", daemon->directory);
	assert_int_equal(control_listen(daemon->path, &fd), 0);
	assert_true(sd_event_new(&daemon->loop) >= 0);
	assert_int_equal(control_start(daemon->loop, fd, &callbacks, &daemon->control), 0);
	*state = daemon;
	return 0;
}

static int setup(void **state)
{
	return start(state, 0);
}

static int setup_impatient(void **state)
{
	return start(state, PATIENCE_US);
}

static int teardown(void **state)
{
	struct daemon *daemon = *state;

	daemon->control = control_stop(daemon->control);
	sd_event_unref(daemon->loop);
	unlink(daemon->path);
	rmdir(daemon->directory);
	free(daemon);
	return 0;
}

/* Lets the daemon do all that it can do now. */
static void turn(struct daemon *daemon)
{
	for (int i = 0; i < 100000; i++) {
		int r = sd_event_run(daemon->loop, 0);

		assert_true(r >= 0);
		if (r == 0)
			return;
	}
	fail_msg("the loop does not come to rest: something wakes for ever");
}

static int client(struct daemon *daemon, const char *request)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (request)
		assert_int_equal(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	turn(daemon);
	return fd;
}

/* What is there now, as text. *ret_end: the daemon has closed. */
static char *receive(struct daemon *daemon, int fd, bool *ret_end)
{
	size_t size = 0, room = 8 << 20;
	char *text = malloc(room);
	ssize_t n;

	assert_non_null(text);
	for (;;) {
		n = recv(fd, text + size, room - size - 1, 0);
		if (n <= 0)
			break;
		size += (size_t)n;
		turn(daemon);
	}
	if (ret_end)
		*ret_end = n == 0;
	text[size] = '\0';
	return text;
}

static void check_answer(struct daemon *daemon, int fd, const char *wanted)
{
	bool end;
	char *text = receive(daemon, fd, &end);

	assert_string_equal(text, wanted);
	assert_true(end);
	free(text);
	close(fd);
}

static struct span span_named(const char *name)
{
	return (struct span){ .kind = SPAN_KIND_SERVER, .name = view_of(name) };
}

static unsigned int count(const char *text, const char *part)
{
	unsigned int n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void test_ps(void **state)
{
	struct daemon *daemon = *state;

	check_answer(daemon, client(daemon, "ps\n"), "{\"version\":\"9\",\"extra\":\"\"}\n");
	assert_int_equal(control_counters(daemon->control).clients, 0);
}

/* A request in pieces, and a client that shuts its sending side before the answer is through. */
static void test_pieces(void **state)
{
	struct daemon *daemon = *state;
	int fd = client(daemon, "p");

	daemon->answer_size = 2 << 20;
	assert_int_equal(send(fd, "s\n", 2, 0), 2);
	shutdown(fd, SHUT_WR);
	turn(daemon);
	assert_int_equal(control_counters(daemon->control).clients, 1);
	{
		bool end;
		char *text = receive(daemon, fd, &end);

		assert_int_equal(strlen(text),
				 (2 << 20) + strlen("{\"version\":\"9\",\"extra\":\"\"}\n"));
		assert_true(end);
		free(text);
	}
	close(fd);
	assert_int_equal(control_counters(daemon->control).clients, 0);
}

static void test_unknown_request(void **state)
{
	struct daemon *daemon = *state;
	char endless[CONTROL_REQUEST_MAX + 1];

	check_answer(daemon, client(daemon, "dance\n"),
		     "{\"error\":\"unknown request; known are: ps, tail\"}\n");
	memset(endless, 'a', CONTROL_REQUEST_MAX);
	endless[CONTROL_REQUEST_MAX] = '\0';
	check_answer(daemon, client(daemon, endless), "{\"error\":\"the request is too long\"}\n");
}

static void test_tail(void **state)
{
	struct daemon *daemon = *state;
	const struct span first = span_named("one"), second = span_named("two");
	int a = client(daemon, "tail\n"), b;
	char *text;
	bool end;

	assert_int_equal(control_counters(daemon->control).tails, 1);
	control_publish(daemon->control, &first);
	turn(daemon);
	b = client(daemon, "tail\n");
	control_publish(daemon->control, &second);
	turn(daemon);
	text = receive(daemon, a, &end);
	assert_false(end);
	assert_int_equal(count(text, "\n"), 2);
	assert_true(strstr(text, "\"name\":\"one\"") < strstr(text, "\"name\":\"two\""));
	free(text);
	text = receive(daemon, b, &end);
	assert_int_equal(count(text, "\n"), 1);
	assert_non_null(strstr(text, "\"name\":\"two\""));
	free(text);
	close(a);
	turn(daemon);
	assert_int_equal(control_counters(daemon->control).tails, 1);
	close(b);
	control_publish(daemon->control, &first);
	turn(daemon);
	assert_int_equal(control_counters(daemon->control).tails, 0);
	assert_int_equal(control_counters(daemon->control).dropped, 0);
}

/* One client never reads, one does: every span reaches the second, and the first one's are counted.
 */
static void test_slow_client(void **state)
{
	enum {
		SPANS = 20000
	};
	struct daemon *daemon = *state;
	const struct span span = span_named("GET /somewhere/in/particular");
	int slow = client(daemon, "tail\n"), quick = client(daemon, "tail\n");
	unsigned int quick_lines = 0, slow_spans;
	uint64_t dropped, told = 0;
	char *text;

	for (int i = 0; i < SPANS; i++) {
		control_publish(daemon->control, &span);
		if (i % 100 == 99) {
			turn(daemon);
			text = receive(daemon, quick, NULL);
			quick_lines += count(text, "\"name\"");
			assert_null(strstr(text, "dropped"));
			free(text);
		}
	}
	assert_int_equal(quick_lines, SPANS);
	dropped = control_counters(daemon->control).dropped;
	assert_in_range(dropped, 1, SPANS - 1);

	/* It wakes up: what was kept, how many were not, and then live spans again. */
	text = receive(daemon, slow, NULL);
	slow_spans = count(text, "\"name\"");
	for (const char *at = text; (at = strstr(at, "{\"dropped\":")); at++)
		told += strtoull(at + strlen("{\"dropped\":"), NULL, 10);
	free(text);
	assert_int_equal(told, dropped);
	assert_int_equal(slow_spans + dropped, SPANS);
	control_publish(daemon->control, &span);
	turn(daemon);
	text = receive(daemon, slow, NULL);
	assert_int_equal(count(text, "\"name\""), 1);
	assert_int_equal(count(text, "dropped"), 0);
	free(text);
	close(slow);
	close(quick);
}

/* A loss is told in front of the next span when the reader comes back just then. */
static void test_loss_is_told_in_place(void **state)
{
	struct daemon *daemon = *state;
	const struct span lost = span_named("lost"), after = span_named("after");
	int fd = client(daemon, "tail\n");
	char buffer[65536], *text, *whole;
	ssize_t n;

	while (control_counters(daemon->control).dropped == 0) {
		control_publish(daemon->control, &lost);
		turn(daemon);
	}
	/* Some room comes back, not all of it. */
	n = recv(fd, buffer, sizeof(buffer), 0);
	assert_true(n > 0);
	turn(daemon);
	n = recv(fd, buffer, sizeof(buffer), 0);
	turn(daemon);
	control_publish(daemon->control, &after);
	text = receive(daemon, fd, NULL);
	whole = strstr(text, "{\"dropped\":1}\n");
	assert_non_null(whole);
	assert_non_null(strstr(whole, "\"name\":\"after\""));
	assert_null(strstr(whole, "\"name\":\"lost\""));
	free(text);
	close(fd);
}

static void test_too_many_clients(void **state)
{
	struct daemon *daemon = *state;
	int fds[CONTROL_CLIENTS_MAX];

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = client(daemon, "tail\n");
	assert_int_equal(control_counters(daemon->control).clients, CONTROL_CLIENTS_MAX);
	check_answer(daemon, client(daemon, NULL),
		     "{\"error\":\"too many clients of weft already\"}\n");
	/* One goes, one may come. */
	close(fds[0]);
	turn(daemon);
	check_answer(daemon, client(daemon, "ps\n"), "{\"version\":\"9\",\"extra\":\"\"}\n");
	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	turn(daemon);
	assert_int_equal(control_counters(daemon->control).clients, 0);
}

static void wait_for_end(struct daemon *daemon)
{
	for (int i = 0; control_counters(daemon->control).clients > 0; i++) {
		assert_true(sd_event_run(daemon->loop, 1000 * 1000) >= 0);
		assert_true(i < 100);
	}
}

/* Those who do not ask, or do not read what they asked for, lose their place; a tail keeps it. */
static void test_patience(void **state)
{
	struct daemon *daemon = *state;
	int silent, deaf, tail;

	daemon->answer_size = 512 << 10;
	silent = client(daemon, NULL);
	deaf = client(daemon, "ps\n");
	assert_int_equal(control_counters(daemon->control).clients, 2);
	wait_for_end(daemon);
	close(silent);
	close(deaf);
	tail = client(daemon, "tail\n");
	assert_int_equal(usleep(PATIENCE_US * 5 / 4), 0);
	turn(daemon);
	assert_int_equal(control_counters(daemon->control).tails, 1);
	close(tail);
}

/* The mode of the socket keeps others out; if it were wrong, the peer's account would. */
static void test_only_root(void **state)
{
	struct daemon *daemon = *state;
	int status, fd;
	char *text;
	pid_t child;

	if (getuid() != 0) {
		print_message("skipped: only root can become somebody else\n");
		skip();
	}
	assert_int_equal(chmod(daemon->directory, 0755), 0);
	assert_int_equal(chmod(daemon->path, 0666), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	child = fork();
	if (child == 0) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->path);
		if (setuid(65534) < 0 ||
		    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    send(fd, "ps\n", 3, 0) != 3)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	turn(daemon);
	text = receive(daemon, fd, NULL);
	assert_string_equal(text, "{\"error\":\"only root may ask\"}\n");
	free(text);
	close(fd);
}

/* Clients that are there when the daemon stops see the end. */
static void test_stop(void **state)
{
	struct daemon *daemon = *state;
	int fd = client(daemon, "tail\n");
	char byte;

	daemon->control = control_stop(daemon->control);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loss_is_told_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_patience, setup_impatient, teardown),
		cmocka_unit_test_setup_teardown(test_only_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
	};

	return cmocka_run_group_tests_name("control/control", tests, NULL, NULL);
}
