/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client or a server whose calls are those of the 32-bit ABI, on a machine without 32-bit
 * libraries: compiled by cc -m32 -nostdlib -static -ffreestanding.
 *
 *   compat PORT             asks for /chain/0 to /chain/19 on one connection, checks each answer
 *   compat PORT serve N     answers N connections, each request with the number in its path
 */
typedef unsigned int u32;

#define SYS_EXIT       1
#define SYS_READ       3
#define SYS_WRITE      4
#define SYS_CLOSE      6
#define SYS_SOCKETCALL 102
#define CALL_SOCKET    1
#define CALL_BIND      2
#define CALL_CONNECT   3
#define CALL_LISTEN    4
#define CALL_ACCEPT    5
#define CALL_SETSOCK   14
#define REQUESTS       20
#define ROOM	       4096

static long call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory");
	return result;
}

static long socket_call(long which, long a, long b, long c, long d, long e)
{
	long arguments[] = { a, b, c, d, e };

	return call(SYS_SOCKETCALL, which, (long)arguments, 0);
}

static u32 number_of(const char *text)
{
	u32 number = 0;

	while (*text >= '0' && *text <= '9')
		number = number * 10 + (u32)(*text++ - '0');
	return number;
}

static u32 put_number(char *text, u32 number)
{
	u32 len = number > 9 ? put_number(text, number / 10) : 0;

	text[len] = (char)('0' + number % 10);
	return len + 1;
}

static u32 put(char *text, const char *what)
{
	u32 len = 0;

	while (what[len]) {
		text[len] = what[len];
		len++;
	}
	return len;
}

/* What follows `what` in the text; 0: it is not there. */
static const char *after(const char *text, u32 len, const char *what)
{
	for (u32 i = 0; i < len; i++) {
		u32 n = 0;

		while (what[n] && i + n < len && text[i + n] == what[n])
			n++;
		if (!what[n])
			return text + i + n;
	}
	return 0;
}

static char text[ROOM], answer[ROOM];

/* Until a head, and the body of that many bytes that follows it, are there. 0, or -1. */
static int read_until(int fd, u32 body)
{
	u32 used = 0;
	const char *end = 0;

	while (!end || used < (u32)(end - text) + body) {
		long n = call(SYS_READ, fd, (long)(text + used), ROOM - 1 - used);

		if (n <= 0)
			return -1;
		used += (u32)n;
		text[used] = 0;
		end = after(text, used, "\r\n\r\n");
	}
	return 0;
}

static int ask(int fd, u32 number)
{
	u32 len = put(answer, "GET /chain/"), digits;
	const char *body;

	digits = put_number(answer + len, number);
	len += digits;
	len += put(answer + len, " HTTP/1.1\r\nHost: compat\r\n\r\n");
	if (call(SYS_WRITE, fd, (long)answer, len) != (long)len || read_until(fd, digits) < 0)
		return -1;
	body = after(text, ROOM, "\r\n\r\n");
	return after(text, 16, " 200 ") && body && number_of(body) == number ? 0 : -1;
}

static int answer_one(int fd)
{
	u32 len, digits;
	char body[16];
	const char *number;

	if (read_until(fd, 0) < 0)
		return -1;
	number = after(text, ROOM, "/chain/");
	digits = put_number(body, number ? number_of(number) : 0);
	body[digits] = 0;
	len = put(answer, "HTTP/1.1 200 OK\r\nContent-Length: ");
	len += put_number(answer + len, digits);
	len += put(answer + len, "\r\n\r\n");
	len += put(answer + len, body);
	return call(SYS_WRITE, fd, (long)answer, len) == (long)len ? 0 : -1;
}

struct address {
	unsigned short family, port;
	u32 ip;
	u32 rest[2];
};

static int serve(int fd, struct address *address, u32 connections)
{
	int one = 1;

	socket_call(CALL_SETSOCK, fd, 1, 2, (long)&one, sizeof(one)); /* SO_REUSEADDR */
	if (socket_call(CALL_BIND, fd, (long)address, sizeof(*address), 0, 0) < 0 ||
	    socket_call(CALL_LISTEN, fd, 16, 0, 0, 0) < 0)
		return 1;
	while (connections-- > 0) {
		int client = (int)socket_call(CALL_ACCEPT, fd, 0, 0, 0, 0);

		if (client < 0)
			return 1;
		while (answer_one(client) == 0)
			;
		call(SYS_CLOSE, client, 0, 0);
	}
	return 0;
}

static int run(int argc, char **argv)
{
	struct address address = { .family = 2, .ip = 0x0100007f };
	int fd = (int)socket_call(CALL_SOCKET, 2, 1, 0, 0, 0);
	u32 port = argc > 1 ? number_of(argv[1]) : 0;

	address.port = (unsigned short)((port & 0xff) << 8 | port >> 8);
	if (argc > 3)
		return serve(fd, &address, number_of(argv[3]));
	if (socket_call(CALL_CONNECT, fd, (long)&address, sizeof(address), 0, 0) < 0)
		return 1;
	for (u32 n = 0; n < REQUESTS; n++)
		if (ask(fd, n) < 0)
			return 1;
	return 0;
}

__attribute__((used)) void start(long *stack)
{
	call(SYS_EXIT, run((int)stack[0], (char **)(stack + 1)), 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tpush %eax\n\tcall start\n");
