/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "bpf/abi/config.h"
#include "fake_proc.h"

#define CGROUP "0::/system.slice/unit.service\n"

static void assert_name(const struct process_info *info, const char *name, const char *source)
{
	assert_string_equal(info->service_name, name);
	assert_string_equal(info->service_source, source);
	assert_string_equal(info_attribute(info, "service.name"), name);
}

/* Each source is taken away in turn: the next one in the order speaks. */
static void test_order(void **state)
{
	static const char *const configured[] = { "service.name", "configured", "team", "pay" };
	struct process_options options = { .resource = configured, .n_resource = 4 };
	struct process_info info = { 0 };
	struct fake fake;

	(void)state;
	fake_init(&fake);
	options.proc = fake.dir;
	fake_process(&fake, "/usr/bin/python3.11");
	fake_write(&fake, "42/cgroup", TEXT(CGROUP));
	fake_write(&fake, "42/cmdline", TEXT("python3\0script.py\0"));
	fake_write(&fake, "42/environ",
		   TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=attribute,team=own\0"
			"OTEL_SERVICE_NAME=variable\0"));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "variable", "OTEL_SERVICE_NAME");
	assert_string_equal(info_attribute(&info, "team"), "own");
	process_info_clear(&info);
	fake_write(&fake, "42/environ", TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=attribute\0"));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "attribute", "OTEL_RESOURCE_ATTRIBUTES");
	assert_string_equal(info_attribute(&info, "team"), "pay");
	process_info_clear(&info);
	fake_write(&fake, "42/environ", TEXT("OTEL_RESOURCE_ATTRIBUTES=service.name=a,bad\0"));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "configured", "configuration");
	process_info_clear(&info);
	options.n_resource = 0;
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "unit", "systemd unit");
	process_info_clear(&info);
	fake_write(&fake, "42/cgroup", TEXT("0::/\n"));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "script", "script");
	process_info_clear(&info);
	fake_write(&fake, "42/cmdline", TEXT("python3\0"));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "python3.11", "executable");
	process_info_clear(&info);
	unlink(fake_path(&fake, "42/exe"));
	fake_write(&fake, "42/cmdline", TEXT(""));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_name(&info, "unknown_service:a (b) c", "none");
	assert_null(info.executable);
	process_info_clear(&info);
	fake_clear(&fake);
}

static void test_attributes(void **state)
{
	struct process_options options = { .command_args = true };
	struct process_info info = { 0 };
	struct fake fake;

	(void)state;
	fake_init(&fake);
	options.proc = fake.dir;
	fake_process(&fake, "/usr/bin/python3.11 (deleted)");
	fake_write(&fake, "42/cmdline", TEXT("python3\0shop.py\0--key\0s\0"));
	fake_write(&fake, "42/environ",
		   TEXT("OTEL_RESOURCE_ATTRIBUTES=process.pid=1,telemetry.sdk.name=x,"
			"service.version=1.2,process.runtime.name=cpython\0"));
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_int_equal(info.pid, 42);
	assert_int_equal(info.parent_pid, 7);
	assert_int_equal(info.start_ticks, FAKE_START_TICKS);
	assert_int_equal(info.runtime, RUNTIME_PYTHON);
	assert_int_equal(info.unit_kind, UNIT_THREAD);
	assert_string_equal(info.executable, "/usr/bin/python3.11");
	/* of weft alone */
	assert_string_equal(info_attribute(&info, "process.pid"), "42");
	assert_string_equal(info_attribute(&info, "process.parent_pid"), "7");
	assert_string_equal(info_attribute(&info, "telemetry.sdk.name"), "weft");
	assert_string_equal(info_attribute(&info, "telemetry.sdk.language"), "python");
	assert_string_equal(info_attribute(&info, "telemetry.distro.name"), "weft");
	/* the process' own before what is detected */
	assert_string_equal(info_attribute(&info, "service.version"), "1.2");
	assert_string_equal(info_attribute(&info, "process.runtime.name"), "cpython");
	assert_string_equal(info_attribute(&info, "process.runtime.version"), "3.11");
	assert_string_equal(info_attribute(&info, "process.executable.name"), "python3.11");
	assert_string_equal(info_attribute(&info, "process.executable.path"),
			    "/usr/bin/python3.11");
	assert_string_equal(info_attribute(&info, "process.command_args"),
			    "python3 shop.py --key s");
	process_info_clear(&info);
	options.command_args = false;
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_null(info_attribute(&info, "process.command_args"));
	process_info_clear(&info);
	fake_clear(&fake);
}

/* However many a process claims: what is configured and what is detected finds room. */
static void test_room(void **state)
{
	static const char *const configured[] = { "team", "pay" };
	struct process_options options = { .resource = configured, .n_resource = 2 };
	struct process_info info = { 0 };
	char environment[4096] = "OTEL_RESOURCE_ATTRIBUTES=";
	struct fake fake;

	(void)state;
	fake_init(&fake);
	options.proc = fake.dir;
	fake_process(&fake, "/usr/bin/shop");
	for (int i = 0; i < 60; i++)
		sprintf(environment + strlen(environment), "k%d=v,", i);
	fake_write(&fake, "42/environ", environment, strlen(environment) + 1);
	assert_int_equal(process_describe(&options, 42, &info), 0);
	assert_string_equal(info_attribute(&info, "k0"), "v");
	assert_null(info_attribute(&info, "k59"));
	assert_string_equal(info_attribute(&info, "team"), "pay");
	assert_string_equal(info_attribute(&info, "process.executable.name"), "shop");
	assert_string_equal(info_attribute(&info, "os.type"), "linux");
	process_info_clear(&info);
	fake_clear(&fake);
}

static void test_event_loop(void **state)
{
	struct process_info info;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/sbin/nginx");
	fake_write(&fake, "42/cmdline", TEXT("nginx: worker process\0\0\0"));
	info = fake_describe(&fake);
	assert_name(&info, "nginx", "executable");
	assert_int_equal(info.unit_kind, UNIT_EVENT_LOOP);
	process_info_clear(&info);
	/* one file that is many programs */
	fake_link(&fake, "42/exe", "/bin/busybox");
	fake_write(&fake, "42/cmdline", TEXT("/usr/sbin/httpd\0-f\0"));
	info = fake_describe(&fake);
	assert_name(&info, "httpd", "executable");
	process_info_clear(&info);
	fake_clear(&fake);
}

static void test_gone(void **state)
{
	struct process_options options = { .proc = "/proc" };
	struct process_info info = { .pid = 5 };
	struct fake fake;

	(void)state;
	assert_int_equal(process_describe(&options, 0x7ffffffe, &info), -ESRCH);
	/* it ended while it was looked at */
	fake_init(&fake);
	fake_process(&fake, "/usr/bin/shop");
	unlink(fake_path(&fake, "42/stat"));
	options.proc = fake.dir;
	assert_int_equal(process_describe(&options, 42, &info), -ESRCH);
	assert_int_equal(info.pid, 5);
	fake_clear(&fake);
}

/* Runs `arguments` with `environment` in place of this process' own and describes it. */
static struct process_info describe_child(char *const *arguments, char *const *environment)
{
	struct process_options options = { .proc = "/proc" };
	struct process_info info = { 0 };
	int pipes[2], r;
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvpe(arguments[0], arguments, environment);
		_exit(127);
	}
	/* The pipe closes with the exec. */
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 0);
	close(pipes[0]);
	r = process_describe(&options, pid, &info);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(r, 0);
	assert_int_equal(info.pid, pid);
	assert_int_equal(info.parent_pid, getpid());
	return info;
}

#define ARGUMENTS(...) ((char *const[]){ __VA_ARGS__, NULL })

static char sleep_name[] = "sleep", python_name[] = "/usr/bin/python3", seconds[] = "60";

static void test_real_environment(void **state)
{
	char variable[] = "OTEL_SERVICE_NAME=gr\xc3\xbc\xc3\x9f"
			  "e\xff";
	struct process_info info =
		describe_child(ARGUMENTS(sleep_name, seconds), ARGUMENTS(variable));

	(void)state;
	assert_name(&info,
		    "gr\xc3\xbc\xc3\x9f"
		    "e\xef\xbf\xbd",
		    "OTEL_SERVICE_NAME");
	assert_int_equal(info.runtime, RUNTIME_NATIVE);
	assert_true(info.start_ticks > 0);
	process_info_clear(&info);
}

static void test_real_python(void **state)
{
	char module_option[] = "-m", module[] = "timeit", setup[] = "-s", code[] = "import time",
	     wait[] = "time.sleep(60)", path[] = "PATH=/usr/bin:/bin";
	struct process_info info;

	(void)state;
	if (access(python_name, X_OK) < 0) {
		print_message("skipped: no %s on this machine\n", python_name);
		skip();
	}
	info = describe_child(ARGUMENTS(python_name, module_option, module, setup, code, wait),
			      ARGUMENTS(path));
	assert_int_equal(info.runtime, RUNTIME_PYTHON);
	/* Unless the tests run in a unit or pod, whose name goes before. */
	if (strcmp(info.service_source, "systemd unit") != 0 &&
	    strcmp(info.service_source, "pod") != 0)
		assert_name(&info, "timeit", "module");
	process_info_clear(&info);
}

static void test_identify(void **state)
{
	struct process_options options = { .proc = "/proc" };
	struct process_info info = { 0 };

	(void)state;
	assert_int_equal(process_identify(&options, getpid(), &info), 0);
	assert_int_equal(info.pid, getpid());
	assert_int_equal(info.unit_kind, UNIT_THREAD);
	assert_non_null(strstr(info.executable, "test_process"));
	process_info_clear(&info);
	assert_int_equal(process_identify(&options, 0x7ffffffe, &info), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	    cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_room),	    cmocka_unit_test(test_event_loop),
		cmocka_unit_test(test_gone),	    cmocka_unit_test(test_real_environment),
		cmocka_unit_test(test_real_python), cmocka_unit_test(test_identify),
	};

	return cmocka_run_group_tests_name("discover/process", tests, NULL, NULL);
}
