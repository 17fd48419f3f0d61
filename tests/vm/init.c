/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process of a virtual machine under test: loads the modules that lie in /modules, makes
 * a root of the host's own files (9p, read-only) with a writable layer in memory, and runs the
 * command of the kernel's command line behind "--" there. Where the root is another machine's, the
 * kernel's argument tree= says where the project's files belong in it. What is written to /run/out
 * lies on the host at once. Linked statically; the initial file system holds nothing else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
	const char *type;
	const char *target;
	const char *source;
	const char *options;
};

static const struct place before[] = {
	{ "9p", "/host", "host", "trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro" },
	{ "tmpfs", "/layer", "layer", "" },
};

static const struct place root[] = {
	{ "overlay", "/root", "root", "lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work" },
	{ "proc", "/root/proc", "proc", "" },
	{ "sysfs", "/root/sys", "sysfs", "" },
	{ "devtmpfs", "/root/dev", "devtmpfs", "" },
	{ "tmpfs", "/root/run", "run", "" },
	{ "tmpfs", "/root/tmp", "tmp", "" },
	{ "cgroup2", "/root/sys/fs/cgroup", "cgroup2", "" },
	{ "bpf", "/root/sys/fs/bpf", "bpf", "" },
	{ "tracefs", "/root/sys/kernel/tracing", "tracefs", "" },
	{ "debugfs", "/root/sys/kernel/debug", "debugfs", "" },
	{ "securityfs", "/root/sys/kernel/security", "securityfs", "" },
	{ "9p", "/root/run/out", "out", "trans=virtio,version=9p2000.L,msize=512000,cache=none" },
};

static void complain(const char *what, const char *on)
{
	printf("init: %s %s: %s\n", what, on, strerror(errno));
}

static int load_module(const struct dirent *entry)
{
	char path[512];
	int fd;

	if (entry->d_name[0] == '.')
		return 0;
	snprintf(path, sizeof(path), "/modules/%s", entry->d_name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
		complain("loading", path);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* In the order of their names, which begin with a number. */
static void load_modules(void)
{
	struct dirent **entries;
	int n = scandir("/modules", &entries, NULL, alphasort);

	for (int i = 0; i < n; i++)
		load_module(entries[i]);
}

static int mount_all(const struct place *places, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		mkdir(places[i].target, 0755);
		if (mount(places[i].source, places[i].target, places[i].type, 0,
			  places[i].options) == 0)
			continue;
		complain("mounting", places[i].target);
		if (i == 0)
			return -1;
	}
	return 0;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The directory, and those that it lies in. */
static void make_directory(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		mkdir(path, 0755);
		*at = '/';
	}
	mkdir(path, 0755);
}

/* The project's files, with a writable layer as the root has one. */
static int mount_tree(const char *tree)
{
	char path[512];
	const struct place places[] = {
		{ "9p", "/tree", "tree", before[0].options },
		{ "overlay", path, "tree",
		  "lowerdir=/tree,upperdir=/layer/tree,workdir=/layer/tree-work" },
	};

	snprintf(path, sizeof(path), "/root%s", tree);
	make_directory(path);
	mkdir("/layer/tree", 0755);
	mkdir("/layer/tree-work", 0755);
	return mount_all(places, COUNT(places));
}

static int make_root(void)
{
	const char *tree = getenv("tree");

	if (mount_all(before, COUNT(before)) < 0)
		return -1;
	mkdir("/layer/upper", 0755);
	mkdir("/layer/work", 0755);
	if (mount_all(root, COUNT(root)) < 0 || (tree && mount_tree(tree) < 0))
		return -1;
	/* network namespaces are mount points of their own */
	if (chdir("/root") < 0 || mount("/root", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0 || mount(NULL, "/", NULL, MS_SHARED | MS_REC, NULL) < 0) {
		complain("entering", "/root");
		return -1;
	}
	/* the layer above the host's files is open to everybody, as a root directory is */
	return chmod("/", 0755);
}

static void run(char **command)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		setsid();
		execv(command[0], command);
		complain("running", command[0]);
		_exit(127);
	}
	while (child > 0 && waitpid(-1, &status, 0) != child)
		;
	printf("init: the command ended with wait status %d\n", status);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/tmp", 1);
	load_modules();
	if (argc > 1 && make_root() == 0)
		run(argv + 1);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
