/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/pod.h"

#include "fake_proc.h"

#define KUBERNETES "KUBERNETES_SERVICE_HOST=10.96.0.1\0"
#define CGROUP	   "0::/kubepods/pod6a1b2c3d-0001-4002-8003-abcdef012345/x\n"

static void test_workload(void **state)
{
	static const char *const rows[][2] = {
		{ "shop-6d4cf56db6-x2x8z", "shop" },
		{ "web-shop-6d4cf56db6-x2x8z", "web-shop" },
		{ "agent-x2x8z", "agent" },
		{ "store-0", "store" },
		{ "store-12", "store" },
		{ "shop", "shop" },
		{ "web-proxy", "web-proxy" },	      /* letters that no generated name has */
		{ "shop-20240131", "shop-20240131" }, /* a date, no ordinal */
		{ "shop-6d4cf56db6xxx-x2x8z", "shop-6d4cf56db6xxx" },
		{ "-0", "-0" },
		{ "shop-", "shop-" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct view workload = pod_workload(view_of(rows[i][0]));

		if (!view_equal(workload, view_of(rows[i][1])))
			fail_msg("%s: %.*s", rows[i][0], (int)workload.len, workload.data);
	}
}

static void assert_name(struct fake *fake, const char *environment, size_t len, const char *cgroup,
			const char *name, const char *source)
{
	struct process_info info;

	fake_write(fake, "42/environ", environment, len);
	fake_write(fake, "42/cgroup", cgroup, strlen(cgroup));
	info = fake_describe(fake);
	assert_string_equal(info.service_name, name);
	assert_string_equal(info.service_source, source);
	process_info_clear(&info);
}

static void test_names(void **state)
{
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/srv/server");
	fake_write(&fake, "sys/kernel/hostname", TEXT("node-7\n"));
	assert_name(&fake, TEXT(KUBERNETES "HOSTNAME=shop-6d4cf56db6-x2x8z\0"), "", "shop", "pod");
	assert_name(&fake, TEXT("HOSTNAME=store-0\0"), CGROUP, "store", "pod");
	assert_name(&fake, TEXT(KUBERNETES "POD_NAME=a-1\0HOSTNAME=b-1\0"), "", "a", "pod");
	/* the host's network: HOSTNAME is the node's */
	assert_name(&fake, TEXT(KUBERNETES "HOSTNAME=node-7\0"), "", "server", "executable");
	/* no pod: a container's HOSTNAME is an id */
	assert_name(&fake, TEXT("HOSTNAME=0123456789ab\0"), "", "server", "executable");
	fake_clear(&fake);
}

static void test_attributes(void **state)
{
	struct process_info info;
	struct fake fake;

	(void)state;
	fake_init(&fake);
	fake_process(&fake, "/srv/server");
	fake_write(&fake, "42/cgroup", TEXT(CGROUP));
	fake_write(&fake, "42/environ", TEXT("HOSTNAME=store-0\0"));
	fake_write(&fake, "rootfs/var/run/secrets/kubernetes.io/serviceaccount/namespace",
		   TEXT("prod"));
	info = fake_describe(&fake);
	assert_string_equal(info_attribute(&info, "k8s.pod.uid"),
			    "6a1b2c3d-0001-4002-8003-abcdef012345");
	assert_string_equal(info_attribute(&info, "k8s.pod.name"), "store-0");
	assert_string_equal(info_attribute(&info, "k8s.namespace.name"), "prod");
	process_info_clear(&info);
	fake_clear(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workload),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_attributes),
	};

	return cmocka_run_group_tests_name("discover/pod", tests, NULL, NULL);
}
