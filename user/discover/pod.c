/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/pod.h"

#include <stdbool.h>

#include "base/cleanup.h"
#include "discover/environment.h"
#include "discover/host.h"
#include "discover/text.h"

#define NAMESPACE_FILE "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
#define NAMESPACE_MAX  63 /* a DNS label */

/* Kubernetes' alphabet for generated names leaves out vowels and what is easily mistaken. */
#define RANDOM_ALPHABET "bcdfghjklmnpqrstvwxz2456789"
#define RANDOM_LEN	5
#define HASH_LEN_MIN	6
#define HASH_LEN_MAX	10

/* Names that deployments usually give to these fields of the downward API. */
static const char *const name_variables[] = { "POD_NAME", "K8S_POD_NAME", "KUBERNETES_POD_NAME",
					      "MY_POD_NAME", NULL };
static const char *const namespace_variables[] = { "POD_NAMESPACE",	"K8S_NAMESPACE",
						   "K8S_POD_NAMESPACE", "KUBERNETES_NAMESPACE",
						   "MY_POD_NAMESPACE",	NULL };

static bool in_pod(const struct process_facts *facts)
{
	return facts->container.pod_uid[0] ||
	       environment_get(facts_environ(facts), VIEW("KUBERNETES_SERVICE_HOST")).len > 0;
}

/* In a pod that uses the host's network, HOSTNAME is the node's name. */
static bool is_host(const struct process_facts *facts, struct view name)
{
	char host[HOST_NAME_SIZE];

	if (!facts->proc)
		return false;
	host_name(facts->proc, host);
	return view_equal(name, view_of(host));
}

struct view pod_name(const struct process_facts *facts)
{
	struct view name;

	if (!in_pod(facts))
		return (struct view){ 0 };
	name = environment_get_any(facts_environ(facts), name_variables);
	if (name.len > 0)
		return name;
	name = environment_get(facts_environ(facts), VIEW("HOSTNAME"));
	return is_host(facts, name) ? (struct view){ 0 } : name;
}

static bool consists_of(struct view text, const char *letters)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0' || !strchr(letters, text.data[i]))
			return false;
	return text.len > 0;
}

/* Splits at the last '-'; false when one side would be empty. */
static bool split_last(struct view name, struct view *ret_front, struct view *ret_last)
{
	long dash = text_last_index(name, '-');

	if (dash <= 0 || (size_t)dash + 1 == name.len)
		return false;
	*ret_last = view_from(name, (size_t)dash + 1);
	ret_front->data = name.data;
	ret_front->len = (size_t)dash;
	return true;
}

struct view pod_workload(struct view name)
{
	struct view front, last, shorter, hash;

	if (!split_last(name, &front, &last))
		return name;
	if (consists_of(last, "0123456789") && last.len < RANDOM_LEN)
		return front;
	if (last.len != RANDOM_LEN || !consists_of(last, RANDOM_ALPHABET))
		return name;
	if (split_last(front, &shorter, &hash) && hash.len >= HASH_LEN_MIN &&
	    hash.len <= HASH_LEN_MAX && consists_of(hash, RANDOM_ALPHABET))
		return shorter;
	return front;
}

static int add_namespace(const struct process_facts *facts, struct attributes *attributes)
{
	_cleanup_procfs_file_ struct procfs_file file = { 0 };
	struct view name = environment_get_any(facts_environ(facts), namespace_variables);

	if (name.len == 0 && facts->dir >= 0 &&
	    procfs_read_in_root(facts->dir, NAMESPACE_FILE, NAMESPACE_MAX, &file) == 0)
		name = text_trim(procfs_file_view(&file));
	return name.len ? attributes_add(attributes, VIEW("k8s.namespace.name"), name) : 0;
}

int pod_attributes(const struct process_facts *facts, struct attributes *attributes)
{
	struct view name = pod_name(facts);
	int r;

	if (!in_pod(facts))
		return 0;
	r = attributes_add_string(attributes, "k8s.pod.uid", facts->container.pod_uid);
	if (r == 0 && name.len > 0)
		r = attributes_add(attributes, VIEW("k8s.pod.name"), name);
	return r == 0 ? add_namespace(facts, attributes) : r;
}
