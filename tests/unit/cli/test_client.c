/* SPDX-License-Identifier: Apache-2.0 */
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
#include <sys/wait.h>

#include "base/cleanup.h"
#include "cli/client.h"
#include "control/control.h"

static void test_nobody_there(void **state)
{
	char text[256], directory[] = "/tmp/weft-test-XXXXXX", path[64], wanted[256];
	int fd = -7, listener;

	(void)state;
	assert_int_equal(client_ask("/nowhere/weft.sock", "ps", &fd, text, sizeof(text)), -ENOENT);
	assert_string_equal(text,
			    "weft is not running (no socket at /nowhere/weft.sock): start it with "
			    "'weft run'");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(control_listen(path, &listener), 0);
	close(listener);
	assert_int_equal(client_ask(path, "ps", &fd, text, sizeof(text)), -ECONNREFUSED);
	snprintf(wanted, sizeof(wanted),
		 "weft is not running (nobody listens at %s): start it with 'weft run'", path);
	assert_string_equal(text, wanted);
	assert_int_equal(fd, -7);
	unlink(path);
	rmdir(directory);
}

static void test_question_and_answer(void **state)
{
	_cleanup_close_ int listener = -1, fd = -1, peer = -1;
	char text[256], directory[] = "/tmp/weft-test-XXXXXX", path[64], line[16] = "";
	_cleanup_free_ char *data = NULL, *big = calloc(1, 100000);
	size_t size;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 100000);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(control_listen(path, &listener), 0);
	assert_int_equal(client_ask(path, "ps", &fd, text, sizeof(text)), 0);
	peer = accept(listener, NULL, NULL);
	assert_int_equal(recv(peer, line, sizeof(line), 0), 3);
	assert_string_equal(line, "ps\n");
	assert_int_equal(send(peer, big, 100000, 0), 100000);
	close(TAKE_FD(peer));
	assert_int_equal(client_read_all(fd, &data, &size), 0);
	assert_int_equal(size, 100000);
	assert_int_equal(strlen(data), 100000);
	unlink(path);
	rmdir(directory);
}

static void test_not_root(void **state)
{
	char directory[] = "/tmp/weft-test-XXXXXX", path[64];
	int listener, status;
	pid_t child;

	(void)state;
	if (getuid() != 0) {
		print_message("skipped: only root can become somebody else\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	snprintf(path, sizeof(path), "%s/s", directory);
	assert_int_equal(control_listen(path, &listener), 0);
	child = fork();
	if (child == 0) {
		char text[256];
		int fd, r = setuid(65534) < 0 ? 0 : client_ask(path, "ps", &fd, text, sizeof(text));

		_exit(r == -EACCES && strstr(text, "only root may ask the running weft") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(listener);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_question_and_answer),
		cmocka_unit_test(test_not_root),
	};

	return cmocka_run_group_tests_name("cli/client", tests, NULL, NULL);
}
