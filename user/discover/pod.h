/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process in a Kubernetes pod knows of its pod.
 */
#ifndef WEFT_DISCOVER_POD_H
#define WEFT_DISCOVER_POD_H

#include "base/view.h"
#include "discover/facts.h"

/* Name of the pod; an empty view when the process is in none, or does not know it. */
struct view pod_name(const struct process_facts *facts);

/*
 * The workload that a pod's name was made from: Kubernetes adds to a Deployment's name the hash of
 * the pod template and five random characters, to those of a DaemonSet or Job the latter alone, and
 * to a StatefulSet's an ordinal number. ("shop-6d4cf56db6-x2x8z" -> "shop".)
 */
struct view pod_workload(struct view name);

/* Adds k8s.pod.uid, k8s.pod.name and k8s.namespace.name so far as they are visible. -ENOMEM. */
int pod_attributes(const struct process_facts *facts, struct attributes *attributes);

#endif
