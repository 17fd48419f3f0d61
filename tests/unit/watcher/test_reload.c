/* SPDX-License-Identifier: Apache-2.0 */
/* The watcher's side of a reload; the test is the pipeline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"
#include "watcher/reload.h"

struct fixture {
	char file[64];
	char *arguments[3];
	struct settings settings;
	struct reload reload;
	int ends[2];
	int notified;
	char notify_path[80];
	unsigned int changed;
	bool described;
	struct channel_message message;
};

static void on_changed(void *context, bool described)
{
	struct fixture *fixture = context;

	fixture->changed++;
	fixture->described = described;
}

static void write_file(const struct fixture *fixture, const char *yaml)
{
	FILE *file = fopen(fixture->file, "w");

	assert_non_null(file);
	fputs(yaml, file);
	fclose(file);
}

static void listen_for_notes(struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(fixture->notify_path, sizeof(fixture->notify_path), "%s.notify", fixture->file);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->notify_path);
	fixture->notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(
		bind(fixture->notified, (const struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", fixture->notify_path, 1);
}

static int setup(void **state)
{
	static struct fixture fixture;
	struct config_messages messages = { 0 };

	memset(&fixture, 0, sizeof(fixture));
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(fixture.file, sizeof(fixture.file), "/tmp/weft-test-XXXXXX");
	close(mkstemp(fixture.file));
	write_file(&fixture, "export: stdout\nport: 80\nlog_level: error\n");
	fixture.arguments[0] = strdup("--config");
	fixture.arguments[1] = fixture.file;
	settings_init(&fixture.settings);
	assert_int_equal(config_load(&fixture.settings.config, CONFIG_RUN, 2, fixture.arguments,
				     environ, &messages),
			 0);
	listen_for_notes(&fixture);
	fixture.reload = (struct reload){
		.settings = &fixture.settings,
		.n_arguments = 2,
		.arguments = fixture.arguments,
		.changed = on_changed,
		.context = &fixture,
	};
	reload_init(&fixture.reload);
	*state = &fixture;
	return channel_pair(fixture.ends);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	reload_clear(&fixture->reload);
	settings_clear(&fixture->settings);
	free(fixture->arguments[0]);
	unlink(fixture->file);
	unlink(fixture->notify_path);
	unsetenv("NOTIFY_SOCKET");
	close(fixture->notified);
	close(fixture->ends[0]);
	close(fixture->ends[1]);
	return 0;
}

/* What the pipeline is handed; nothing when it is not. */
static bool handed(struct fixture *fixture, struct settings *ret_settings)
{
	int fds[CHANNEL_FDS_MAX];
	size_t n;

	if (channel_receive_fds(fixture->ends[1], &fixture->message, fds, &n) < 0)
		return false;
	assert_int_equal(fixture->message.header.type, CHANNEL_RELOAD);
	assert_int_equal(settings_receive(ret_settings, fds, n), 0);
	return true;
}

static void assert_handed(struct fixture *fixture, const char *target)
{
	struct settings settings;

	assert_true(handed(fixture, &settings));
	assert_string_equal(settings.config.targets.items[0], target);
	settings_clear(&settings);
	assert_false(handed(fixture, &settings));
}

static void assert_not_handed(struct fixture *fixture)
{
	struct settings settings;

	assert_false(handed(fixture, &settings));
}

/* The next line that the service manager gets begins with this; NULL: there is none. */
static void assert_noted(struct fixture *fixture, const char *expected)
{
	char text[2048] = "";
	ssize_t n = recv(fixture->notified, text, sizeof(text) - 1, 0);

	if (!expected) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	if (strncmp(text, expected, strlen(expected)) != 0)
		fail_msg("'%s' does not begin with '%s'", text, expected);
}

static void assert_target(const struct fixture *fixture, const char *target)
{
	assert_string_equal(fixture->settings.config.targets.items[0], target);
}

static void ready(struct fixture *fixture)
{
	reload_pipeline_ready(&fixture->reload, fixture->ends[0]);
}

static void want(struct fixture *fixture, const char *yaml)
{
	write_file(fixture, yaml);
	reload_want(&fixture->reload);
}

static void test_reload(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	want(fixture, "export: file:/dev/null\nport: 81\nlog_level: error\n");
	assert_noted(fixture, "RELOADING=1\nMONOTONIC_USEC=");
	assert_handed(fixture, "file:/dev/null");
	assert_target(fixture, "stdout"); /* as long as the pipeline has not said so */
	assert_noted(fixture, NULL);
	reload_answered(&fixture->reload, NULL);
	assert_target(fixture, "file:/dev/null");
	assert_int_equal(fixture->settings.config.ports.items[0], 80);
	assert_non_null(strstr(fixture->settings.needs_restart, "port"));
	assert_int_equal(fixture->settings.reloads, 1);
	assert_int_equal(fixture->changed, 1);
	assert_false(fixture->described);
	assert_noted(fixture, "READY=1\nSTATUS=Reloaded");
}

static void test_described(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	want(fixture, "export: stdout\nport: 80\nservice_name: x\nlog_level: error\n");
	reload_answered(&fixture->reload, NULL);
	assert_true(fixture->described);
	assert_string_equal(fixture->settings.needs_restart, "");
}

static void test_bad_file(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	want(fixture, "export: file:/dev/null\n\"a\\nMAINPID=1\": 1\n");
	assert_not_handed(fixture);
	assert_target(fixture, "stdout");
	assert_int_equal(fixture->changed, 0);
	assert_noted(fixture, "RELOADING=1");
	assert_noted(fixture, "READY=1\nSTATUS=Not reloaded: ");
	unlink(fixture->file);
	reload_want(&fixture->reload);
	assert_noted(fixture, "RELOADING=1");
	assert_noted(fixture, "READY=1\nSTATUS=Not reloaded: --config: ");
	assert_target(fixture, "stdout");
}

/* Nothing of the file becomes an order to the service manager. */
static void test_note_is_one_line(void **state)
{
	struct fixture *fixture = *state;
	char text[2048] = "";

	ready(fixture);
	want(fixture, "\"a\\nMAINPID=1\": 1\n");
	assert_noted(fixture, "RELOADING=1");
	assert_true(recv(fixture->notified, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "MAINPID"));
	assert_null(strstr(text, "\nMAINPID"));
}

static void test_fifo(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	unlink(fixture->file);
	free(fixture->settings.config.file);
	fixture->settings.config.file = strdup("/dev/null");
	reload_want(&fixture->reload);
	assert_not_handed(fixture);
	assert_noted(fixture, "RELOADING=1");
	assert_noted(fixture, "READY=1\nSTATUS=Not reloaded: --config: '/dev/null' is no regular");
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	want(fixture, "export: file:/dev/null\n");
	reload_answered(&fixture->reload, "no\nroom");
	assert_target(fixture, "stdout");
	assert_noted(fixture, "RELOADING=1");
	assert_noted(fixture, "READY=1\nSTATUS=Not reloaded: the pipeline refuses: no?room");
	/* nobody asked */
	reload_answered(&fixture->reload, NULL);
	assert_target(fixture, "stdout");
	assert_int_equal(fixture->changed, 0);
}

/* While one is under way the next waits, and several become one. */
static void test_several(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	want(fixture, "export: file:/dev/null\nlog_level: error\n");
	assert_handed(fixture, "file:/dev/null");
	want(fixture, "export: file:/dev/zero\nlog_level: error\n");
	want(fixture, "export: file:/dev/full\nlog_level: error\n");
	assert_not_handed(fixture);
	assert_noted(fixture, "RELOADING=1");
	reload_answered(&fixture->reload, NULL);
	assert_noted(fixture, NULL);
	assert_handed(fixture, "file:/dev/full");
	reload_answered(&fixture->reload, NULL);
	assert_target(fixture, "file:/dev/full");
	assert_int_equal(fixture->settings.reloads, 2);
	assert_noted(fixture, "READY=1\nSTATUS=Reloaded");
	assert_noted(fixture, NULL);
}

static void test_before_it_is_ready(void **state)
{
	struct fixture *fixture = *state;

	want(fixture, "export: file:/dev/null\nlog_level: error\n");
	assert_not_handed(fixture);
	ready(fixture);
	assert_handed(fixture, "file:/dev/null");
}

/* The pipeline ends before it answers: the next one is asked, and no third one. */
static void test_pipeline_ends(void **state)
{
	struct fixture *fixture = *state;

	ready(fixture);
	want(fixture, "export: file:/dev/null\nlog_level: error\n");
	assert_handed(fixture, "file:/dev/null");
	reload_pipeline_gone(&fixture->reload);
	assert_target(fixture, "stdout"); /* with which it is started again */
	ready(fixture);
	assert_handed(fixture, "file:/dev/null");
	reload_pipeline_gone(&fixture->reload);
	assert_noted(fixture, "RELOADING=1");
	assert_noted(fixture, "READY=1\nSTATUS=Not reloaded: the pipeline ended twice");
	ready(fixture);
	assert_not_handed(fixture);
	assert_target(fixture, "stdout");
}

/* Of an end that is not known yet only the channel tells. */
static void test_pipeline_is_gone(void **state)
{
	struct fixture *fixture = *state;
	int other[2];

	ready(fixture);
	close(fixture->ends[1]);
	want(fixture, "export: file:/dev/null\nlog_level: error\n");
	reload_pipeline_gone(&fixture->reload);
	close(fixture->ends[0]);
	assert_int_equal(channel_pair(other), 0);
	memcpy(fixture->ends, other, sizeof(other));
	ready(fixture);
	assert_handed(fixture, "file:/dev/null");
	reload_answered(&fixture->reload, NULL);
	assert_target(fixture, "file:/dev/null");
}

static void test_hangup(void **state)
{
	struct fixture *fixture = *state;
	struct config none = { 0 };

	assert_int_equal(hangup_is(&fixture->settings.config), HANGUP_RELOADS);
	/* a session of its own has no terminal */
	if (setsid() >= 0)
		assert_int_equal(hangup_is(&none), HANGUP_RELOADS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reload),	  TEST(test_described),
		TEST(test_bad_file),	  TEST(test_note_is_one_line),
		TEST(test_fifo),	  TEST(test_refused),
		TEST(test_several),	  TEST(test_before_it_is_ready),
		TEST(test_pipeline_ends), TEST(test_pipeline_is_gone),
		TEST(test_hangup),
	};

	return cmocka_run_group_tests_name("watcher/reload", tests, NULL, NULL);
}
