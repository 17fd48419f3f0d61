/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a control group path says: container, pod, systemd unit.
 */
#ifndef WEFT_DISCOVER_CONTAINER_H
#define WEFT_DISCOVER_CONTAINER_H

#include "base/view.h"

#define CONTAINER_ID_MAX 64
#define POD_UID_MAX	 36
#define UNIT_NAME_MAX	 255 /* systemd's own limit for a unit name */

/* Empty strings: not in one. */
struct container_facts {
	char id[CONTAINER_ID_MAX + 1]; /* container.id */
	char pod_uid[POD_UID_MAX + 1]; /* k8s.pod.uid, with dashes */
	char unit[UNIT_NAME_MAX + 1];  /* service unit, without ".service" and instance */
};

/*
 * Reads the content of /proc/PID/cgroup (version 1, 2 or both). Known containers: Docker,
 * containerd, CRI-O, Podman, ECS, and what names a directory or scope by a 64-digit id. A unit is a
 * service, of the system or of a user; a process in a scope (a login session) has none, and one in
 * a container only that of a systemd inside the container.
 */
void container_read(struct view cgroup, struct container_facts *ret_facts);

#endif
