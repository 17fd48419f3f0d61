/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/host.h"

#include "fake_proc.h"

static void test_attributes(void **state)
{
	struct attributes attributes = { 0 };
	struct fake fake;
	char root[128];

	(void)state;
	fake_init(&fake);
	fake_write(&fake, "sys/kernel/hostname", TEXT("node-7\n"));
	fake_write(&fake, "rootfs/etc/machine-id", TEXT("0123456789abcdef0123456789abcdef\n"));
	fake_write(&fake, "rootfs/usr/lib/os-release",
		   TEXT("NAME=\"Some Linux\"\nVERSION_ID='12'\nPRETTY_NAME=\"Some Linux 12\"\n"
			"ID=some\n"));
	fake_link(&fake, "rootfs/etc/os-release", "../usr/lib/os-release");
	snprintf(root, sizeof(root), "%s/rootfs", fake.dir);
	fake_link(&fake, "1/root", root);
	assert_int_equal(host_attributes(fake.dir, &attributes), 0);
	assert_string_equal(attributes_get(&attributes, VIEW("host.name")), "node-7");
	assert_string_equal(attributes_get(&attributes, VIEW("host.id")),
			    "0123456789abcdef0123456789abcdef");
	assert_string_equal(attributes_get(&attributes, VIEW("os.type")), "linux");
	assert_string_equal(attributes_get(&attributes, VIEW("os.name")), "Some Linux");
	assert_string_equal(attributes_get(&attributes, VIEW("os.version")), "12");
	assert_string_equal(attributes_get(&attributes, VIEW("os.description")), "Some Linux 12");
	assert_int_equal(attributes.n, 7); /* and host.arch */
	attributes_clear(&attributes);
	fake_clear(&fake);
}

static void test_nothing(void **state)
{
	struct attributes attributes = { 0 };
	char name[HOST_NAME_SIZE] = "x";
	struct fake fake;

	(void)state;
	fake_init(&fake);
	host_name(fake.dir, name);
	assert_string_equal(name, "");
	fake_write(&fake, "1/root/etc/machine-id", TEXT("uninitialized\n"));
	assert_int_equal(host_attributes(fake.dir, &attributes), 0);
	assert_null(attributes_get(&attributes, VIEW("host.id")));
	assert_null(attributes_get(&attributes, VIEW("host.name")));
	attributes_clear(&attributes);
	fake_clear(&fake);
}

static void test_this_host(void **state)
{
	struct attributes attributes = { 0 };

	(void)state;
	assert_int_equal(host_attributes("/proc", &attributes), 0);
	assert_non_null(attributes_get(&attributes, VIEW("host.arch")));
	assert_non_null(attributes_get(&attributes, VIEW("host.name")));
	attributes_clear(&attributes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests_name("discover/host", tests, NULL, NULL);
}
