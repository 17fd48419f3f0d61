/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "control/control.h"

struct place {
	char directory[64];
	char path[96];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	snprintf(place->directory, sizeof(place->directory), "/tmp/weft-test-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/sock", place->directory);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	assert_int_equal(rmdir(place->directory), 0);
	free(place);
	return 0;
}

static void test_mode(void **state)
{
	struct place *place = *state;
	_cleanup_close_ int fd = -1;
	mode_t before = umask(0);
	struct stat status;

	assert_int_equal(control_listen(place->path, &fd), 0);
	umask(before);
	assert_int_equal(stat(place->path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

static void test_second_daemon(void **state)
{
	struct place *place = *state;
	_cleanup_close_ int fd = -1;
	struct stat before, after;
	int second = -7;

	assert_int_equal(control_listen(place->path, &fd), 0);
	assert_int_equal(stat(place->path, &before), 0);
	assert_int_equal(control_listen(place->path, &second), -EADDRINUSE);
	assert_int_equal(second, -7);
	assert_int_equal(stat(place->path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

static void test_stale_socket(void **state)
{
	struct place *place = *state;
	_cleanup_close_ int second = -1;
	int fd = -1;

	assert_int_equal(control_listen(place->path, &fd), 0);
	close(fd);
	assert_int_equal(control_listen(place->path, &second), 0);
	fd = -1;
	assert_int_equal(control_listen(place->path, &fd), -EADDRINUSE);
}

static void test_other_file(void **state)
{
	struct place *place = *state;
	_cleanup_close_ int file = open(place->path, O_CREAT | O_WRONLY, 0644);
	struct stat status;
	int fd = -7;

	assert_int_equal(write(file, "x", 1), 1);
	assert_int_equal(control_listen(place->path, &fd), -EEXIST);
	assert_int_equal(fd, -7);
	assert_int_equal(stat(place->path, &status), 0);
	assert_int_equal(status.st_size, 1);
}

static void test_bad_paths(void **state)
{
	char path[200] = "/tmp/";
	int fd = -7;

	(void)state;
	assert_int_equal(control_listen("/nowhere/at/all/sock", &fd), -ENOENT);
	memset(path + 5, 'a', sizeof(path) - 6);
	assert_int_equal(control_listen(path, &fd), -ENAMETOOLONG);
	assert_int_equal(fd, -7);
}

/* Any user may lock a directory that it can read: that must not keep weft from starting. */
static void test_locked_directory(void **state)
{
	struct place *place = *state;
	_cleanup_close_ int directory = open(place->directory, O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int fd = -1;

	assert_int_equal(flock(directory, LOCK_EX), 0);
	assert_int_equal(control_listen(place->path, &fd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_daemon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_file, setup, teardown),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test_setup_teardown(test_locked_directory, setup, teardown),
	};

	return cmocka_run_group_tests_name("control/listen", tests, NULL, NULL);
}
