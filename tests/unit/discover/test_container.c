/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/container.h"

#include "fake_proc.h"

#define ID	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UID	 "6a1b2c3d-0001-4002-8003-abcdef012345"
#define UID_UNIT "6a1b2c3d_0001_4002_8003_abcdef012345"

static const struct row {
	const char *cgroup, *id, *pod_uid, *unit;
} rows[] = {
	{ "", "", "", "" },
	{ "0::/\n", "", "", "" },
	{ "0::/docker/" ID "\n", ID, "", "" },
	{ "0::/system.slice/docker-" ID ".scope\n", ID, "", "" },
	{ "0::/../" ID "\n", ID, "", "" },
	{ "12:cpu,cpuacct:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", ID, "", "" },
	{ "0::/machine.slice/libpod-" ID ".scope/container\n", ID, "", "" },
	{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", "", "", "" },
	{ "0::/kubepods/burstable/pod" UID "/" ID "\n", ID, UID, "" },
	{ "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_UNIT
	  ".slice/cri-containerd-" ID ".scope\n",
	  ID, UID, "" },
	{ "0::/kubepods.slice/kubepods-pod" UID_UNIT ".slice/crio-" ID ".scope\n", ID, UID, "" },
	{ "1:cpu:/system.slice/containerd.service/kubepods-burstable-pod" UID_UNIT
	  ".slice:cri-containerd:" ID "\n",
	  ID, UID, "" },
	{ "0::/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567\n",
	  "0123456789abcdef0123456789abcdef-1234567", "", "" },
	{ "0::/kubepods/pod6a1b2c3d-not-a-uid\n", "", "", "" },
	{ "0::/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n", "", "",
	  "" },
	{ "0::/system.slice/nginx.service\n", "", "", "nginx" },
	{ "0::/system.slice/system-shop.slice/shop@eu-1.service\n", "", "", "shop" },
	{ "0::/system.slice/shop.service/workers/1\n", "", "", "shop" },
	{ "0::/system.slice/my\\x2dshop.service\n", "", "", "my-shop" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n", "", "",
	  "shop" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x-12.scope\n", "", "",
	  "" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "", "", "" },
	{ "0::/user.slice/user-1000.slice/session-3.scope\n", "", "", "" },
	{ "0::/user.slice/user-1000.slice/user@1000.service\n", "", "", "" },
	{ "0::/system.slice/docker.service/docker/" ID "\n", ID, "", "" },
	{ "0::/docker/" ID "/system.slice/shop.service\n", ID, "", "shop" },
};

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct container_facts facts;

		container_read(view_of(rows[i].cgroup), &facts);
		if (strcmp(facts.id, rows[i].id) || strcmp(facts.pod_uid, rows[i].pod_uid) ||
		    strcmp(facts.unit, rows[i].unit))
			fail_msg("%s: id '%s', pod '%s', unit '%s'", rows[i].cgroup, facts.id,
				 facts.pod_uid, facts.unit);
	}
}

static void test_long_unit(void **state)
{
	struct container_facts facts;
	char text[1024];

	(void)state;
	memset(text, 'u', sizeof(text));
	memcpy(text, "0::/", 4);
	memcpy(text + sizeof(text) - 9, ".service", 9);
	container_read(view_of(text), &facts);
	assert_int_equal(strlen(facts.unit), UNIT_NAME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_long_unit),
	};

	return cmocka_run_group_tests_name("discover/container", tests, NULL, NULL);
}
