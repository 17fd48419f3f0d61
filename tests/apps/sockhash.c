/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another program that uses a sockhash, with none of weft's code in it.
 *
 *   sockhash own             puts a socket of its own in; prints "unread N", what FIONREAD says of
 * it when 200 bytes are there sockhash cgroup PATH     puts every socket in that a process of the
 * cgroup connects; prints "ready", and stays until its input ends
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSN(op, dst, src, offset, value)                                                          \
	((struct bpf_insn){ .code = (op),                                                          \
			    .dst_reg = (dst),                                                      \
			    .src_reg = (src),                                                      \
			    .off = (offset),                                                       \
			    .imm = (value) })

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "sockhash: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int checked(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

/* A map, with a program that lets every message pass. */
static int make_map(void)
{
	const struct bpf_insn pass[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, SK_PASS),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int map = checked(bpf_map_create(BPF_MAP_TYPE_SOCKHASH, "other_socks", 8, 8, 1024, NULL),
			  "making a map");
	int program =
		checked(bpf_prog_load(BPF_PROG_TYPE_SK_MSG, "other_message", "GPL", pass, 2, NULL),
			"loading the message program");

	checked(bpf_prog_attach(program, map, BPF_SK_MSG_VERDICT, 0), "attaching to the map");
	return map;
}

/* if (ctx->op == ACTIVE_ESTABLISHED) { key = cookie; sock_hash_update(ctx, map, &key, 0); } */
static int load_joiner(int map)
{
	const struct bpf_insn join[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct bpf_sock_ops, op), 0),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 10, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_socket_cookie),
		INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -8),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sock_hash_update),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return checked(bpf_prog_load(BPF_PROG_TYPE_SOCK_OPS, "other_socket", "GPL", join,
				     sizeof(join) / sizeof(join[0]), NULL),
		       "loading the socket program");
}

static void own_cgroup(const char *path)
{
	int cgroup = checked(open(path, O_RDONLY | O_DIRECTORY), path);
	int program = load_joiner(make_map());
	char byte;

	checked(bpf_prog_attach(program, cgroup, BPF_CGROUP_SOCK_OPS, BPF_F_ALLOW_MULTI),
		"attaching to the cgroup");
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void own_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
	int client = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
	int map = make_map(), server, unread = -1;
	unsigned long long key = 1, value = (unsigned long long)client;
	char bytes[200] = "";

	checked(bind(listener, (struct sockaddr *)&address, len), "bind");
	checked(listen(listener, 1), "listen");
	checked(getsockname(listener, (struct sockaddr *)&address, &len), "getsockname");
	checked(connect(client, (struct sockaddr *)&address, len), "connect");
	server = checked(accept(listener, NULL, NULL), "accept");
	checked(bpf_map_update_elem(map, &key, &value, BPF_ANY), "putting the socket in");
	if (write(server, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) ||
	    recv(client, bytes, sizeof(bytes), MSG_PEEK | MSG_WAITALL) != (ssize_t)sizeof(bytes))
		die("moving bytes");
	checked(ioctl(client, FIONREAD, &unread), "FIONREAD");
	printf("unread %d\n", unread);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "own") == 0)
		own_socket();
	else if (argc == 3 && strcmp(argv[1], "cgroup") == 0)
		own_cgroup(argv[2]);
	else
		return 2;
	return 0;
}
