/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/runtime.h"

#include "bpf/abi/config.h"
#include "discover/procfs.h"
#include "fake_proc.h"

#define MAP(path)                                                                                  \
	"7f0000000000-7f0000001000 r-xp 00000000 fe:01 1234                       " path "\n"

static const struct row {
	const char *executable, *maps;
	enum runtime runtime;
	const char *version;
} rows[] = {
	{ "/usr/bin/python3.11", "", RUNTIME_PYTHON, "3.11" },
	{ "/usr/bin/python3", MAP("/usr/lib/libpython3.12.so.1.0"), RUNTIME_PYTHON, "3.12" },
	{ "/usr/bin/python3.13t", "", RUNTIME_PYTHON, "3.13" },
	{ "/usr/bin/pypy3", "", RUNTIME_PYTHON, "" },
	{ "/usr/bin/uwsgi-core", MAP("/usr/lib/libpython3.11.so.1.0"), RUNTIME_PYTHON, "3.11" },
	{ "/opt/node/v20.11.0/bin/node", "", RUNTIME_NODE, "20.11.0" },
	{ "/usr/bin/node", MAP("/usr/lib/libnode.so.108"), RUNTIME_NODE, "" },
	{ "/usr/bin/node_exporter", "", RUNTIME_NATIVE, "" },
	{ "/usr/bin/javac", "", RUNTIME_NATIVE, "" },
	{ "/usr/bin/shop", MAP("/usr/lib/jvm/x/lib/server/libjvm.so"), RUNTIME_JAVA, "" },
	{ "/srv/App", MAP("/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/libcoreclr.so"),
	  RUNTIME_DOTNET, "8.0.1" },
	{ "/usr/bin/ruby3.1", "", RUNTIME_RUBY, "3.1" },
	{ "/usr/bin/ruby", MAP("/usr/lib/libruby-3.1.so.3.1.2"), RUNTIME_RUBY, "3.1" },
	{ "/usr/sbin/php-fpm8.2", "", RUNTIME_PHP, "8.2" },
	{ "/usr/sbin/apache2",
	  MAP("/usr/lib/apache2/modules/libphp8.2.so") MAP("/usr/lib/libc.so.6"), RUNTIME_PHP, "" },
	{ "/usr/bin/perl", "", RUNTIME_PERL, "" },
	{ "/usr/sbin/nginx", MAP("/usr/lib/libperl.so.5.36"), RUNTIME_NATIVE, "" },
	{ "/usr/bin/python3", MAP("/usr/lib/libruby.so.3.1"), RUNTIME_PYTHON, "" },
	{ "", "", RUNTIME_NATIVE, "" },
};

static void test_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct runtime_facts facts;

		runtime_read(-1, view_of(rows[i].executable), view_of(rows[i].maps), &facts);
		if (facts.runtime != rows[i].runtime || strcmp(facts.version, rows[i].version))
			fail_msg("%s: %s '%s'", rows[i].executable, runtime_name(facts.runtime),
				 facts.version);
	}
}

static void test_java_release(void **state)
{
	struct runtime_facts facts;
	struct fake fake;
	int dir;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/lib/jvm/java-17/bin/java");
	fake_write(&fake, "rootfs/usr/lib/jvm/java-17/release",
		   TEXT("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.9\"\n"));
	assert_int_equal(procfs_open(fake.dir, 42, &dir), 0);
	runtime_read(dir, VIEW("/usr/lib/jvm/java-17/bin/java"),
		     VIEW(MAP("/usr/lib/jvm/java-17/lib/server/libjvm.so")), &facts);
	assert_int_equal(facts.runtime, RUNTIME_JAVA);
	assert_string_equal(facts.version, "17.0.9");
	close(dir);
	fake_clear(&fake);
}

static void test_units(void **state)
{
	(void)state;
	assert_int_equal(runtime_unit(RUNTIME_NATIVE, VIEW("/usr/sbin/nginx")), UNIT_EVENT_LOOP);
	assert_int_equal(runtime_unit(RUNTIME_NATIVE, VIEW("/opt/angie")), UNIT_EVENT_LOOP);
	assert_int_equal(runtime_unit(RUNTIME_NATIVE, VIEW("/usr/bin/nginx-helper")), UNIT_THREAD);
	assert_int_equal(runtime_unit(RUNTIME_GO, VIEW("/usr/bin/shop")), UNIT_UNKNOWN);
	assert_int_equal(runtime_unit(RUNTIME_NODE, VIEW("/usr/bin/node")), UNIT_THREAD);
}

static void test_names(void **state)
{
	(void)state;
	for (enum runtime runtime = 0; runtime < RUNTIME_MAX; runtime++) {
		assert_non_null(runtime_name(runtime));
		assert_non_null(runtime_language(runtime));
	}
	assert_string_equal(runtime_name(RUNTIME_GO), "go");
	assert_string_equal(runtime_name(RUNTIME_MAX), "unknown");
	assert_string_equal(runtime_language(RUNTIME_NODE), "nodejs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_java_release),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("discover/runtime", tests, NULL, NULL);
}
