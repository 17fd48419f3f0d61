/* SPDX-License-Identifier: Apache-2.0 */
#include "bpf/abi/config.h"
#include "discover/process.h"
#include "fake_proc.h"

static struct process_info describe(const char *comm, const char *args, size_t len)
{
	struct process_event event = {
		.type = PROCESS_EXEC, .pid = 42, .parent_pid = 7, .args_len = (uint32_t)len
	};
	struct process_options options = { .proc = "/proc" };
	struct process_info info = { 0 };

	strncpy(event.comm, comm, sizeof(event.comm));
	memcpy(event.args, args, len);
	assert_int_equal(process_describe_gone(&options, &event, &info), 0);
	assert_int_equal(info.pid, 42);
	assert_int_equal(info.parent_pid, 7);
	assert_string_equal(info_attribute(&info, "service.name"), info.service_name);
	assert_string_equal(info_attribute(&info, "process.pid"), "42");
	return info;
}

static void assert_gone(const char *comm, const char *args, size_t len, const char *name,
			const char *source, enum runtime runtime)
{
	struct process_info info = describe(comm, args, len);

	assert_string_equal(info.service_name, name);
	assert_string_equal(info.service_source, source);
	assert_int_equal(info.runtime, runtime);
	process_info_clear(&info);
}

static void test_names(void **state)
{
	(void)state;
	assert_gone("curl", TEXT("curl\0-s\0http://x/\0"), "curl", "executable", RUNTIME_NATIVE);
	assert_gone("python3", TEXT("/usr/bin/python3\0-m\0app.main\0"), "app.main", "module",
		    RUNTIME_PYTHON);
	/* run by its script line: the kernel's name is the script's */
	assert_gone("server.py", TEXT("/usr/bin/python3\0/srv/server.py\0"), "server", "script",
		    RUNTIME_PYTHON);
	/* another name in front of the arguments than the program's */
	assert_gone("nginx", TEXT("nginx: worker process\0"), "nginx", "executable",
		    RUNTIME_NATIVE);
	assert_gone("real-name", TEXT("called\0"), "real-name", "executable", RUNTIME_NATIVE);
	/* cut at 15 characters by the kernel */
	assert_gone("a-very-long-pro", TEXT("/opt/a-very-long-program\0"), "a-very-long-program",
		    "executable", RUNTIME_NATIVE);
	/* no arguments: the name may be a thread's */
	assert_gone("http-nio-8080", TEXT(""), "unknown_service:http-nio-8080", "none",
		    RUNTIME_NATIVE);
	assert_gone("", TEXT(""), "unknown_service", "none", RUNTIME_NATIVE);
	assert_gone("0123456789abcdef", TEXT(""), "unknown_service:0123456789abcdef", "none",
		    RUNTIME_NATIVE);
}

static void test_cut_arguments(void **state)
{
	char args[PROCESS_ARGS_MAX];
	struct process_info info;

	(void)state;
	memset(args, 'x', sizeof(args));
	memcpy(args, "python3", 8);
	info = describe("python3", args, sizeof(args));
	/* the script's path is not whole */
	assert_string_equal(info.service_name, "python3");
	process_info_clear(&info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut_arguments),
	};

	return cmocka_run_group_tests_name("discover/fallback", tests, NULL, NULL);
}
