/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/program.h"

#include "fake_proc.h"

/* A process that runs `executable`, in /srv/shop, was started with these arguments and environment.
 */
struct row {
	const char *executable;
	const char *command;
	size_t command_len;
	const char *environment;
	const char *name; /* NULL: no program */
	const char *source;
};

#define PYTHON "/usr/bin/python3.11", TEXT
#define NODE   "/usr/bin/node", TEXT
#define JAVA   "/usr/lib/jvm/java-17/bin/java", TEXT
#define RUBY   "/usr/bin/ruby3.1", TEXT
#define PHP    "/usr/bin/php8.2", TEXT
#define PERL   "/usr/bin/perl", TEXT
#define DOTNET "/usr/bin/dotnet", TEXT

static void run_row(const struct row *row)
{
	struct process_facts facts = PROCESS_FACTS_INIT;
	struct service_name name = { 0 };
	bool found;

	facts.executable = strdup(row->executable);
	facts.directory = strdup("/srv/shop");
	facts.command_file.data = malloc(row->command_len + 1);
	memcpy(facts.command_file.data, row->command, row->command_len + 1);
	facts.command_file.len = row->command_len;
	facts.environ_file.data = strdup(row->environment ? row->environment : "");
	facts.environ_file.len = strlen(facts.environ_file.data);
	facts_split_command(&facts);
	runtime_read(-1, view_of(facts.executable), VIEW(""), &facts.runtime);
	found = program_name(&facts, &name);
	if (found != !!row->name || (found && strcmp(name.text, row->name) != 0) ||
	    (found && strcmp(name.source, row->source) != 0))
		fail_msg("%s %.*s: '%s' from %s, wanted '%s' from %s", row->command,
			 (int)facts.command.args[facts.command.n - 1].len,
			 facts.command.args[facts.command.n - 1].data, name.text,
			 name.source ? name.source : "-", row->name ? row->name : "-",
			 row->source ? row->source : "-");
	facts_clear(&facts);
}

#define RUN_ROWS(rows)                                                                             \
	do {                                                                                       \
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)                        \
			run_row(&rows[i]);                                                         \
	} while (0)

static const struct row python_rows[] = {
	{ PYTHON("python\0-m\0app.main"), NULL, "app.main", "module" },
	{ PYTHON("python\0-m\0shop.__main__"), NULL, "shop", "module" },
	{ PYTHON("python3\0/opt/x/server.py\0--port\0"
		 "80"),
	  NULL, "server", "script" },
	{ PYTHON("python3\0-X\0dev\0-W\0ignore\0-u\0server.py"), NULL, "server", "script" },
	{ PYTHON("python3\0/opt/pay/manage.py\0runserver"), NULL, "pay", "directory" },
	{ PYTHON("python3\0__main__.py"), NULL, "shop", "directory" },
	{ PYTHON("python3\0-c\0import x"), NULL, NULL, NULL },
	{ PYTHON("python3"), NULL, NULL, NULL },
	{ PYTHON("python3\0/usr/bin/gunicorn\0app:app"), NULL, "app", "application" },
	{ PYTHON("python3\0/usr/bin/gunicorn\0-w\0"
		 "4\0-b\0localhost:80\0pay.wsgi:application"),
	  NULL, "pay", "application" },
	{ PYTHON("python3\0/usr/bin/gunicorn\0--reload\0-b=:80\0pay.api:create()"), NULL, "pay.api",
	  "application" },
	{ PYTHON("python3\0/usr/bin/gunicorn\0--new-flag\0pay:app\0--bind\0localhost:80"), NULL,
	  "pay", "application" },
	{ PYTHON("python3\0/usr/bin/gunicorn\0-c\0conf.py"), NULL, "shop", "directory" },
	{ PYTHON("python3\0-m\0gunicorn.app.wsgiapp\0pay:app"), NULL, "pay", "application" },
	{ PYTHON("gunicorn: worker [pay.wsgi:app]\0\0\0"), NULL, "pay", "process title" },
	{ PYTHON("gunicorn: master [gunicorn]"), NULL, "gunicorn", "process title" },
	{ PYTHON("python3\0/usr/local/bin/uvicorn\0--port\0"
		 "80\0main:app"),
	  NULL, "main", "application" },
	{ PYTHON("python3\0-m\0uvicorn\0pay.asgi:app"), NULL, "pay", "application" },
	{ PYTHON("python3\0/usr/bin/flask\0--app\0pay.py\0run"), NULL, "pay", "application" },
	{ PYTHON("python3\0/usr/bin/flask\0run\0-p\0"
		 "80"),
	  "FLASK_APP=pay:create()", "pay", "application" },
	{ PYTHON("python3\0/usr/bin/flask\0run"), NULL, "shop", "directory" },
	{ PYTHON("python3\0/usr/bin/celery\0-A\0proj\0worker"), NULL, "proj", "application" },
	{ PYTHON("[celeryd: celery@h:MainProcess] -active- (-A proj worker)"), NULL, "proj",
	  "process title" },
	{ PYTHON("python3\0/usr/bin/fastapi\0run\0app/pay.py"), NULL, "pay", "application" },
	{ "/usr/bin/python3.11", TEXT("pay-worker"), NULL, "pay-worker", "process title" },
};

static void test_python(void **state)
{
	(void)state;
	RUN_ROWS(python_rows);
}

static const struct row node_rows[] = {
	{ NODE("node\0server.js"), NULL, "server", "script" },
	{ NODE("node\0--require\0./trace.js\0/opt/pay/server.mjs"), NULL, "server", "script" },
	{ NODE("node\0--inspect=9229\0dist/index.js"), NULL, "shop", "directory" },
	{ NODE("node\0/app/main.js"), "npm_package_name=@acme/pay", "@acme/pay",
	  "npm_package_name" },
	{ NODE("node\0-e\0"
	       "1"),
	  NULL, NULL, NULL },
	{ NODE("node /opt/pay/server.js"), NULL, "server", "script" },
	{ NODE("npm start"), NULL, "npm", "process title" },
};

static void test_node(void **state)
{
	(void)state;
	RUN_ROWS(node_rows);
}

static const struct row java_rows[] = {
	{ JAVA("java\0-Xmx1g\0-jar\0/srv/shop.jar\0--port=1"), NULL, "shop", "jar" },
	{ JAVA("java\0-jar\0pay-api-1.2.3-SNAPSHOT.jar"), NULL, "pay-api", "jar" },
	{ JAVA("java\0-cp\0a.jar:b.jar\0com.acme.Main\0-x"), NULL, "com.acme.Main", "class" },
	{ JAVA("java\0--add-opens\0java.base/java.lang=ALL-UNNAMED\0com.acme.Main"), NULL,
	  "com.acme.Main", "class" },
	{ JAVA("java\0@options\0-ea\0com.acme.Main"), NULL, "com.acme.Main", "class" },
	{ JAVA("java\0-p\0mods\0-m\0com.acme.pay/com.acme.Main"), NULL, "com.acme.pay", "module" },
	{ JAVA("java\0--module=com.acme.pay"), NULL, "com.acme.pay", "module" },
	{ JAVA("java\0Server.java"), NULL, "Server", "script" },
	{ JAVA("java\0-Dspring.application.name=pay\0-jar\0app.jar"), NULL, "pay", "application" },
	{ JAVA("java\0-jar\0app.jar\0--spring.application.name=pay"), NULL, "pay", "application" },
	{ JAVA("java\0-jar\0app.jar"), "SPRING_APPLICATION_NAME=pay", "pay", "application" },
	{ JAVA("java\0-cp\0.\0org.springframework.boot.loader.launch.JarLauncher"), NULL, "shop",
	  "directory" },
	{ JAVA("java\0-version"), NULL, NULL, NULL },
};

static void test_java(void **state)
{
	(void)state;
	RUN_ROWS(java_rows);
}

static const struct row other_rows[] = {
	{ RUBY("ruby\0-I\0lib\0-rjson\0pay.rb"), NULL, "pay", "script" },
	{ RUBY("ruby\0bin/rails\0server"), NULL, "shop", "directory" },
	{ RUBY("/usr/bin/ruby\0/usr/local/bin/puma\0-p\0"
	       "80"),
	  NULL, "shop", "directory" },
	{ RUBY("puma 6.4.0 (tcp://0.0.0.0:3000) [pay]"), NULL, "pay", "process title" },
	{ RUBY("puma: cluster worker 0: 12 [pay]"), NULL, "pay", "process title" },
	{ RUBY("ruby\0-e\0puts"), NULL, NULL, NULL },
	{ PHP("php\0-d\0a=b\0/opt/pay/worker.php"), NULL, "worker", "script" },
	{ PHP("php\0/opt/pay/artisan\0queue:work"), NULL, "pay", "directory" },
	{ PHP("php\0-S\0localhost:80\0-t\0public"), NULL, "shop", "directory" },
	{ PHP("php\0-f\0pay.php"), NULL, "pay", "script" },
	{ "/usr/sbin/php-fpm8.2", TEXT("php-fpm: pool pay"), NULL, "pay", "process title" },
	{ "/usr/sbin/php-fpm8.2", TEXT("php-fpm: pool www"), NULL, "php-fpm", "process title" },
	{ "/usr/sbin/php-fpm8.2", TEXT("php-fpm: master process (/etc/php/fpm.conf)"), NULL,
	  "php-fpm", "process title" },
	{ "/usr/sbin/php-fpm8.2", TEXT("/usr/sbin/php-fpm8.2\0-F"), NULL, "php-fpm", "executable" },
	{ PERL("perl\0-T\0-I\0lib\0-MFoo::Bar\0-w\0/usr/bin/pay.pl"), NULL, "pay", "script" },
	{ PERL("perl\0-ne\0print"), NULL, NULL, NULL },
	{ DOTNET("dotnet\0/app/Acme.Pay.dll\0--urls\0x"), NULL, "Acme.Pay", "script" },
	{ DOTNET("dotnet\0exec\0--runtimeconfig\0x.json\0Pay.dll"), NULL, "Pay", "script" },
	{ DOTNET("dotnet\0run\0--project\0src/Pay/Pay.csproj"), NULL, "Pay", "script" },
	{ DOTNET("dotnet\0run"), NULL, "shop", "directory" },
	{ "/usr/sbin/nginx", TEXT("nginx: worker process"), NULL, NULL, NULL },
};

static void test_other(void **state)
{
	(void)state;
	RUN_ROWS(other_rows);
}

static void assert_described(const struct fake *fake, const char *command, size_t len,
			     const char *name, const char *source)
{
	struct process_info info;

	fake_write(fake, "42/cmdline", command, len);
	info = fake_describe(fake);
	assert_string_equal(info.service_name, name);
	assert_string_equal(info.service_source, source);
	process_info_clear(&info);
}

static void test_packages(void **state)
{
	static const char tool[] = "{\"name\":\"next\"}", broken[] = "{\"name\":";
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/bin/node");
	fake_write(&fake, "rootfs/srv/shop/package.json", TEXT("{\"name\":\"pay\",\"x\":[1]}"));
	fake_write(&fake, "rootfs/srv/shop/dist/index.js", TEXT(""));
	fake_write(&fake, "rootfs/srv/shop/node_modules/next/package.json", TEXT(tool));
	fake_write(&fake, "rootfs/usr/lib/node_modules/next/package.json", TEXT(tool));
	fake_write(&fake, "rootfs/usr/lib/node_modules/next/bin/next.js", TEXT(""));
	fake_link(&fake, "rootfs/usr/bin/next", "../lib/node_modules/next/bin/next.js");
	assert_described(&fake, TEXT("node\0dist/index.js"), "pay", "package.json");
	assert_described(&fake, TEXT("node\0."), "pay", "package.json");
	assert_described(&fake, TEXT("node\0node_modules/next/dist/bin.js"), "pay", "package.json");
	assert_described(&fake, TEXT("next-server (v14.0.0)"), "pay", "package.json");
	assert_described(&fake, TEXT("node\0/usr/bin/next"), "next", "package.json");
	/* not above the script, not JSON, no text, too long */
	assert_described(&fake, TEXT("node\0/opt/x/server.js"), "server", "script");
	fake_write(&fake, "rootfs/srv/shop/package.json", TEXT(broken));
	assert_described(&fake, TEXT("node\0server.js"), "server", "script");
	fake_write(&fake, "rootfs/srv/shop/package.json", TEXT("{\"name\":7}"));
	assert_described(&fake, TEXT("node\0server.js"), "server", "script");
	fake_clear(&fake);
}

/* The arguments of multiprocessing's workers name nothing, those of their parent do. */
static void test_worker(void **state)
{
	static const char command[] = "python3\0-c\0from multiprocessing.spawn import spawn_main; "
				      "spawn_main(tracker_fd=5)\0--multiprocessing-fork";
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/usr/bin/python3.11");
	assert_described(&fake, TEXT(command), "python3.11", "executable");
	fake_write(&fake, "7/stat",
		   TEXT("7 (python3) S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99 1 1\n"));
	fake_link(&fake, "7/exe", "/usr/bin/python3.11");
	fake_write(&fake, "7/cmdline",
		   TEXT("python3\0-m\0uvicorn\0pay:app\0--workers\0"
			"2\0"));
	assert_described(&fake, TEXT(command), "pay", "application");
	fake_clear(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_python),	 cmocka_unit_test(test_node),
		cmocka_unit_test(test_java),	 cmocka_unit_test(test_other),
		cmocka_unit_test(test_packages), cmocka_unit_test(test_worker),
	};

	return cmocka_run_group_tests_name("discover/program", tests, NULL, NULL);
}
