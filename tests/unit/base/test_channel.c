/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/channel.h"

struct fixture {
	int ends[2];
	struct channel_message sent;
	struct channel_message received;
};

static int setup(void **state)
{
	static struct fixture fixture;

	*state = &fixture;
	memset(&fixture, 0, sizeof(fixture));
	return channel_pair(fixture.ends);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 2; i++)
		if (fixture->ends[i] >= 0)
			close(fixture->ends[i]);
	return 0;
}

static void test_pair(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(fixture->ends[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fixture->ends[i], F_GETFD) & FD_CLOEXEC);
	}
}

static void test_strings(void **state)
{
	static const char *const strings[] = { "one", "", "zwei \xc3\xbc", "" };
	struct fixture *fixture = *state;
	size_t cursor = 0;

	channel_message_init(&fixture->sent, CHANNEL_PROCESS, 4711);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(channel_message_add(&fixture->sent, strings[i]), 0);
	assert_int_equal(channel_send(fixture->ends[0], &fixture->sent), 0);
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
	assert_int_equal(fixture->received.header.type, CHANNEL_PROCESS);
	assert_int_equal(fixture->received.header.pid, 4711);
	assert_int_equal(fixture->received.size, fixture->sent.size);
	for (size_t i = 0; i < 4; i++) {
		const char *string = channel_message_next(&fixture->received, &cursor);

		assert_non_null(string);
		assert_string_equal(string, strings[i]);
	}
	assert_null(channel_message_next(&fixture->received, &cursor));
	assert_null(channel_message_next(&fixture->received, &cursor));
}

/* What stands in the buffer behind the message is not part of it. */
static void test_unended_string(void **state)
{
	struct fixture *fixture = *state;
	size_t cursor = 0;

	memset(fixture->received.payload, 0, sizeof(fixture->received.payload));
	channel_message_init(&fixture->sent, CHANNEL_PROCESS, 1);
	assert_int_equal(channel_message_add(&fixture->sent, "a"), 0);
	assert_int_equal(channel_message_add_bytes(&fixture->sent, "bc", 2), 0);
	assert_int_equal(channel_send(fixture->ends[0], &fixture->sent), 0);
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
	assert_string_equal(channel_message_next(&fixture->received, &cursor), "a");
	assert_null(channel_message_next(&fixture->received, &cursor));
	assert_int_equal(cursor, 2);
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;
	size_t cursor = 0;

	channel_message_init(&fixture->sent, CHANNEL_STOP, 0);
	assert_int_equal(channel_send(fixture->ends[1], &fixture->sent), 0);
	assert_int_equal(channel_receive(fixture->ends[0], &fixture->received), 0);
	assert_int_equal(fixture->received.header.type, CHANNEL_STOP);
	assert_int_equal(fixture->received.size, 0);
	assert_null(channel_message_next(&fixture->received, &cursor));
}

static void test_room(void **state)
{
	static char large[CHANNEL_MESSAGE_MAX];
	struct fixture *fixture = *state;

	memset(large, 'x', sizeof(large) - 1);
	channel_message_init(&fixture->sent, CHANNEL_HOOKS, 0);
	assert_int_equal(channel_message_add(&fixture->sent, large), 0);
	assert_int_equal(fixture->sent.size, CHANNEL_MESSAGE_MAX);
	assert_int_equal(channel_message_add(&fixture->sent, ""), -ENOSPC);
	assert_int_equal(fixture->sent.size, CHANNEL_MESSAGE_MAX);
	assert_int_equal(channel_message_add_bytes(&fixture->sent, NULL, 0), 0);
	assert_int_equal(channel_message_add_bytes(&fixture->sent, large, SIZE_MAX), -ENOSPC);
	/* the largest message fits through */
	assert_int_equal(channel_send(fixture->ends[0], &fixture->sent), 0);
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
	assert_memory_equal(fixture->received.payload, large, sizeof(large));
	/* a text that does not fit leaves nothing of itself */
	channel_message_init(&fixture->sent, CHANNEL_HOOKS, 0);
	assert_int_equal(channel_message_add(&fixture->sent, "y"), 0);
	assert_int_equal(channel_message_add(&fixture->sent, large), -ENOSPC);
	assert_int_equal(fixture->sent.size, 2);
}

/* Messages stay apart, in order. */
static void test_order(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t pid = 1; pid <= 50; pid++) {
		channel_message_init(&fixture->sent, CHANNEL_PROCESS_GONE, pid);
		assert_int_equal(channel_send(fixture->ends[0], &fixture->sent), 0);
	}
	for (uint32_t pid = 1; pid <= 50; pid++) {
		assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
		assert_int_equal(fixture->received.header.pid, pid);
	}
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), -EAGAIN);
}

/* Neither side waits for the other. */
static void test_full(void **state)
{
	struct fixture *fixture = *state;
	unsigned int sent = 0, received = 0;
	int r;

	channel_message_init(&fixture->sent, CHANNEL_PROCESS, 1);
	fixture->sent.size = CHANNEL_MESSAGE_MAX;
	while ((r = channel_send(fixture->ends[0], &fixture->sent)) == 0 && sent < 100000)
		sent++;
	assert_int_equal(r, -EAGAIN);
	assert_true(sent > 0);
	while ((r = channel_receive(fixture->ends[1], &fixture->received)) == 0)
		received++;
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(received, sent);
}

static void test_other_side_gone(void **state)
{
	struct fixture *fixture = *state;

	channel_message_init(&fixture->sent, CHANNEL_STOP, 9);
	assert_int_equal(channel_send(fixture->ends[0], &fixture->sent), 0);
	close(fixture->ends[0]);
	fixture->ends[0] = -1;
	/* what was sent before still comes */
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
	assert_int_equal(fixture->received.header.pid, 9);
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), -EPIPE);
	/* and no signal ends this process */
	assert_int_equal(channel_send(fixture->ends[1], &fixture->sent), -EPIPE);
}

/* It went away with a message of ours unread: the kernel says ECONNRESET then. */
static void test_other_side_gone_unread(void **state)
{
	struct fixture *fixture = *state;

	channel_message_init(&fixture->sent, CHANNEL_STOP, 9);
	assert_int_equal(channel_send(fixture->ends[1], &fixture->sent), 0);
	close(fixture->ends[0]);
	fixture->ends[0] = -1;
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), -EPIPE);
}

static void assert_refused(struct fixture *fixture, const void *bytes, size_t size)
{
	assert_int_equal(send(fixture->ends[0], bytes, size, 0), (ssize_t)size);
	fixture->received.header.pid = 1234;
	fixture->received.size = 5678;
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), -EBADMSG);
	assert_int_equal(fixture->received.header.pid, 1234);
	assert_int_equal(fixture->received.size, 5678);
}

static void test_bad_messages(void **state)
{
	static char large[sizeof(struct channel_header) + CHANNEL_MESSAGE_MAX + 1];
	static const uint32_t types[] = { 0, CHANNEL_TYPE_MAX, CHANNEL_TYPE_MAX + 1, UINT32_MAX };
	struct fixture *fixture = *state;
	struct channel_header header = { .type = CHANNEL_STOP };

	for (size_t size = 1; size < sizeof(header); size++)
		assert_refused(fixture, &header, size);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		header.type = types[i];
		assert_refused(fixture, &header, sizeof(header));
	}
	header.type = CHANNEL_STOP;
	memcpy(large, &header, sizeof(header));
	assert_refused(fixture, large, sizeof(large));
	/* and the next one is whole */
	assert_int_equal(send(fixture->ends[0], &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
}

static void test_descriptors(void **state)
{
	struct fixture *fixture = *state;
	int sent[CHANNEL_FDS_MAX + 1], received[CHANNEL_FDS_MAX];
	size_t n;

	for (size_t i = 0; i <= CHANNEL_FDS_MAX; i++)
		sent[i] = STDIN_FILENO;
	channel_message_init(&fixture->sent, CHANNEL_RELOAD, 0);
	for (size_t i = 0; i <= CHANNEL_FDS_MAX; i++) {
		assert_int_equal(channel_send_fds(fixture->ends[0], &fixture->sent, sent, i), 0);
		assert_int_equal(
			channel_receive_fds(fixture->ends[1], &fixture->received, received, &n), 0);
		assert_int_equal(n, i);
		for (size_t j = 0; j < n; j++) {
			assert_true(fcntl(received[j], F_GETFD) & FD_CLOEXEC);
			close(received[j]);
		}
	}
	assert_int_equal(channel_send_fds(fixture->ends[0], &fixture->sent, sent,
					  CHANNEL_FDS_MAX + 1),
			 -E2BIG);
}

/* Who does not ask for descriptors gets none. */
static void test_descriptors_unwanted(void **state)
{
	struct fixture *fixture = *state;
	int next = dup(STDIN_FILENO);

	close(next);
	channel_message_init(&fixture->sent, CHANNEL_READY, 0);
	assert_int_equal(channel_send_fds(fixture->ends[0], &fixture->sent, &fixture->ends[0], 1),
			 0);
	assert_int_equal(channel_receive(fixture->ends[1], &fixture->received), 0);
	assert_int_equal(fixture->received.header.type, CHANNEL_READY);
	assert_int_equal(dup(STDIN_FILENO), next);
	close(next);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pair),
		TEST(test_strings),
		TEST(test_unended_string),
		TEST(test_empty),
		TEST(test_room),
		TEST(test_order),
		TEST(test_full),
		TEST(test_other_side_gone),
		TEST(test_other_side_gone_unread),
		TEST(test_bad_messages),
		TEST(test_descriptors),
		TEST(test_descriptors_unwanted),
	};

	return cmocka_run_group_tests_name("base/channel", tests, NULL, NULL);
}
