/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watcher/lock.h"

#define NETNS_A 4026531840u
#define NETNS_B 4026531841u

static char directory[64];

/* Another process that holds the lock, until it is ended. `heir`: and has a child that goes on. */
struct other {
	pid_t pid;
	pid_t heir;
};

static void hold(const char *name, uint32_t netns, bool heir, int answer)
{
	struct lock_holder holder;
	pid_t child = 0;
	int fd, r = lock_take(directory, name, netns, &fd, &holder);

	if (r == 0 && heir)
		child = fork();
	if (r == 0 && heir && child == 0) {
		pause();
		_exit(0);
	}
	if (r < 0)
		child = r;
	if (write(answer, &child, sizeof(child)) == sizeof(child))
		pause();
	_exit(0);
}

static struct other other_start(const char *name, uint32_t netns, bool heir)
{
	struct other other = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0)
		hold(name, netns, heir, ends[1]);
	close(ends[1]);
	assert_int_equal(read(ends[0], &other.heir, sizeof(other.heir)), sizeof(other.heir));
	assert_true(other.heir >= 0);
	close(ends[0]);
	return other;
}

static void other_end(struct other *other)
{
	kill(other->pid, SIGKILL);
	assert_int_equal(waitpid(other->pid, NULL, 0), other->pid);
}

static int try(const char *name, uint32_t netns, struct lock_holder *ret_holder)
{
	int fd, r = lock_take(directory, name, netns, &fd, ret_holder);

	if (r == 0)
		close(fd);
	return r;
}

static void test_who_may_run(void **state)
{
	static const struct {
		const char *name;
		uint32_t netns;
		const char *other_name;
		uint32_t other_netns;
		const char *explained; /* NULL: both may run */
	} cases[] = {
		{ "default", 0, "default", 0,
		  "weft is running already (pid %d, instance 'default'): two at once need an "
		  "--instance and a --netns each" },
		{ "a", NETNS_A, "a", NETNS_B,
		  "weft is running already (pid %d, instance 'a'): two at once need an --instance "
		  "and a --netns each" },
		{ "a", 0, "b", 0,
		  "weft is running already (pid %d) for all network namespaces: two at once need a "
		  "--netns each" },
		{ "a", NETNS_A, "b", 0,
		  "weft is running already (pid %d) for all network namespaces: two at once need a "
		  "--netns each" },
		{ "a", 0, "b", NETNS_B,
		  "weft is running already (pid %d) in one network namespace: limit this one to "
		  "another with --netns" },
		{ "a", NETNS_A, "b", NETNS_A,
		  "weft is running already (pid %d) in the same network namespace: give this one "
		  "another --netns" },
		{ "a", NETNS_A, "b", NETNS_B, NULL },
		{ "a", NETNS_A, "default", NETNS_B, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct other other = other_start(cases[i].other_name, cases[i].other_netns, false);
		struct lock_holder holder = { .pid = -1 };
		char text[256], expected[256];

		assert_int_equal(try(cases[i].name, cases[i].netns, &holder),
				 cases[i].explained ? -EBUSY : 0);
		if (cases[i].explained) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(expected, sizeof(expected), cases[i].explained, other.pid);
#pragma GCC diagnostic pop
			assert_string_equal(lock_explain(&holder, cases[i].name, cases[i].netns,
							 text, sizeof(text)),
					    expected);
		}
		other_end(&other);
		assert_int_equal(try(cases[i].name, cases[i].netns, &holder), 0);
	}
}

/* A refusal leaves no lock behind, of a name that was free. */
static void test_refusal_leaves_nothing(void **state)
{
	struct other first = other_start("a", 0, false), second;
	struct lock_holder holder;

	(void)state;
	assert_int_equal(try("b", NETNS_A, &holder), -EBUSY);
	other_end(&first);
	second = other_start("b", NETNS_B, false);
	other_end(&second);
}

/* The pipeline of a watcher that was killed does not hold its place. */
static void test_child_does_not_inherit(void **state)
{
	struct other other = other_start("a", 0, true);
	struct lock_holder holder;

	(void)state;
	assert_int_equal(try("a", 0, &holder), -EBUSY);
	other_end(&other);
	assert_int_equal(kill(other.heir, 0), 0);
	assert_int_equal(try("a", 0, &holder), 0);
	kill(other.heir, SIGKILL);
}

/* A child that closes what it inherited does not let go of its parent's lock. */
static void test_child_may_close(void **state)
{
	struct lock_holder holder;
	int fd, status;
	pid_t pid;

	(void)state;
	assert_int_equal(lock_take(directory, "a", NETNS_A, &fd, &holder), 0);
	pid = fork();
	if (pid == 0) {
		close(fd);
		_exit(try("a", NETNS_A, &holder) == -EBUSY && holder.pid == getppid() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

static void test_directory(void **state)
{
	char old[sizeof(directory)], path[96];
	struct lock_holder holder;
	struct stat found;

	(void)state;
	snprintf(old, sizeof(old), "%s", directory);
	snprintf(path, sizeof(path), "%s/made", old);
	snprintf(directory, sizeof(directory), "%.40s/made", old);
	assert_int_equal(try("a", 0, &holder), 0);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/made/lock", old);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0600);
	assert_int_equal(found.st_size, 0);
	unlink(path);
	/* a link that somebody put there is not followed */
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(try("a", 0, &holder), -ELOOP);
	unlink(path);
	rmdir(directory);
	snprintf(directory, sizeof(directory), "%s", old);
	assert_int_equal(lock_take("/nowhere/at/all", "a", 0, &(int){ 0 }, &holder), -ENOENT);
}

static void test_unknown_pid(void **state)
{
	const struct lock_holder holder = { .whole_host = true };
	char text[256];

	(void)state;
	assert_string_equal(lock_explain(&holder, "a", 0, text, sizeof(text)),
			    "weft is running already (in another pid namespace) for all network "
			    "namespaces: two at once need a --netns each");
}

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/weft-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/lock", directory);
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may_run),
		cmocka_unit_test(test_refusal_leaves_nothing),
		cmocka_unit_test(test_child_does_not_inherit),
		cmocka_unit_test(test_child_may_close),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_unknown_pid),
	};

	return cmocka_run_group_tests_name("watcher/lock", tests, make_directory, remove_directory);
}
