/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/option.h"
#include "lib/descriptors.h"
#include "pipeline/settings.h"

struct fixture {
	int ends[2];
	struct settings sent;
	struct channel_message message;
	int fds[CHANNEL_FDS_MAX];
	size_t n;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct settings *sent = &fixture.sent;

	memset(&fixture, 0, sizeof(fixture));
	settings_init(sent);
	assert_int_equal(strings_add(&sent->config.targets, "stdout"), 0);
	assert_int_equal(strings_add(&sent->config.targets, "http://x"), 0);
	sent->target_fds[0] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	sent->target_fds[3] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	sent->credentials.items[CREDENTIAL_KEY].data = strdup("key");
	sent->credentials.items[CREDENTIAL_KEY].len = 3;
	sent->reloads = 7;
	snprintf(sent->needs_restart, sizeof(sent->needs_restart), "port (x:1)");
	*state = &fixture;
	return channel_pair(fixture.ends);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	settings_clear(&fixture->sent);
	close(fixture->ends[0]);
	close(fixture->ends[1]);
	return 0;
}

static void pass(struct fixture *fixture)
{
	assert_int_equal(settings_send(&fixture->sent, fixture->ends[0], &fixture->message), 0);
	assert_int_equal(channel_receive_fds(fixture->ends[1], &fixture->message, fixture->fds,
					     &fixture->n),
			 0);
	assert_int_equal(fixture->message.header.type, CHANNEL_RELOAD);
}

static dev_t device(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_rdev;
}

static void test_whole(void **state)
{
	struct fixture *fixture = *state;
	size_t before = open_descriptors();
	struct settings read;

	pass(fixture);
	assert_int_equal(fixture->n, 3);
	assert_int_equal(settings_receive(&read, fixture->fds, fixture->n), 0);
	assert_int_equal(read.config.targets.n, 2);
	assert_string_equal(read.config.targets.items[1], "http://x");
	assert_int_equal(read.target_fds[1], -1);
	assert_int_equal(device(read.target_fds[0]), device(fixture->sent.target_fds[0]));
	assert_int_equal(device(read.target_fds[3]), device(fixture->sent.target_fds[3]));
	assert_memory_equal(read.credentials.items[CREDENTIAL_KEY].data, "key", 3);
	assert_int_equal(read.reloads, 7);
	assert_string_equal(read.needs_restart, "port (x:1)");
	settings_clear(&read);
	assert_int_equal(open_descriptors(), before);
}

/* Nobody who holds the file can change it under the reader. */
static void test_sealed(void **state)
{
	struct fixture *fixture = *state;

	pass(fixture);
	assert_int_equal(write(fixture->fds[0], "x", 1), -1);
	assert_int_equal(ftruncate(fixture->fds[0], 0), -1);
	assert_ptr_equal(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fixture->fds[0], 0), MAP_FAILED);
	for (size_t i = 0; i < fixture->n; i++)
		close(fixture->fds[i]);
}

/* All that came is closed, whatever is wrong with it. */
static void test_refused(void **state)
{
	struct fixture *fixture = *state;
	size_t before = open_descriptors();
	struct settings read = { .reloads = 3 };

	assert_int_equal(settings_receive(&read, fixture->fds, 0), -EBADMSG);
	pass(fixture);
	/* one too few, one too many, no file of ours */
	close(fixture->fds[2]);
	assert_int_equal(settings_receive(&read, fixture->fds, 2), -EBADMSG);
	pass(fixture);
	fixture->fds[3] = dup(fixture->fds[1]);
	assert_int_equal(settings_receive(&read, fixture->fds, 4), -EBADMSG);
	pass(fixture);
	close(fixture->fds[0]);
	fixture->fds[0] = memfd_create("empty", MFD_CLOEXEC);
	assert_int_equal(settings_receive(&read, fixture->fds, 3), -EBADMSG);
	assert_int_equal(read.reloads, 3);
	assert_int_equal(open_descriptors(), before);
}

static void test_change(void **state)
{
	struct fixture *fixture = *state;
	size_t before = open_descriptors();
	struct settings now;
	int fd = fixture->sent.target_fds[0];

	settings_init(&now);
	now.config.ports.n = 1;
	now.target_fds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	now.credentials.items[CREDENTIAL_KEY].data = strdup("old");
	now.credentials.items[CREDENTIAL_KEY].len = 3;
	settings_change(&now, &fixture->sent);
	assert_int_equal(now.target_fds[0], fd);
	assert_int_equal(now.target_fds[1], -1);
	assert_int_equal(now.reloads, 7);
	assert_memory_equal(now.credentials.items[CREDENTIAL_KEY].data, "key", 3);
	assert_int_equal(now.config.targets.n, 2);
	assert_int_equal(now.config.ports.n, 1); /* which cannot change */
	settings_clear(&now);
	settings_clear(&fixture->sent);
	settings_init(&fixture->sent);
	assert_int_equal(open_descriptors(), before - 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_sealed),
		TEST(test_refused),
		TEST(test_change),
	};

	return cmocka_run_group_tests_name("pipeline/settings", tests, NULL, NULL);
}
