/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sslpeer serve PORT CERTIFICATE KEY | ask PORT FIRST LAST: HTTP/1.1 over one connection at a time,
 * by what OpenSSL and its relatives have in common. The client prints how many answers were right.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[4096];

/* A message without a body, or with what Content-Length says. False: there is none any more. */
static int receive(SSL *ssl)
{
	size_t have = 0, whole = 0;

	while (!whole || have < whole) {
		char *end, *length;
		int n = SSL_read(ssl, buffer + have, (int)(sizeof(buffer) - 1 - have));

		if (n <= 0)
			return 0;
		have += (size_t)n;
		buffer[have] = 0;
		end = strstr(buffer, "\r\n\r\n");
		length = strstr(buffer, "Content-Length: ");
		if (end)
			whole = (size_t)(end - buffer) + 4 +
				(length ? (size_t)atoi(length + 16) : 0);
	}
	return 1;
}

static void answer(SSL *ssl)
{
	while (receive(ssl)) {
		char text[256];
		int number = 0, n;

		sscanf(buffer, "GET /item/%d", &number);
		n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08d",
			     number);
		if (SSL_write(ssl, text, n) != n)
			return;
	}
}

static struct sockaddr_in address_of(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((unsigned short)atoi(port)),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int serve(char **argv)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct sockaddr_in address = address_of(argv[2]);
	int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	if (SSL_CTX_use_certificate_file(context, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, argv[4], SSL_FILETYPE_PEM) != 1)
		return 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 16) < 0)
		return 1;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		SSL *ssl = SSL_new(context);

		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1)
			answer(ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static int ask(char **argv)
{
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	struct sockaddr_in address = address_of(argv[2]);
	int fd = socket(AF_INET, SOCK_STREAM, 0), right = 0, last = atoi(argv[4]);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		return 1;
	for (int number = atoi(argv[3]); number <= last; number++) {
		char text[256], wanted[16];
		int n = snprintf(text, sizeof(text),
				 "GET /item/%d HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n\r\n", number,
				 argv[2]);

		snprintf(wanted, sizeof(wanted), "\n%08d", number);
		if (SSL_write(ssl, text, n) != n || !receive(ssl))
			break;
		right += strstr(buffer, wanted) != NULL;
	}
	printf("%d\n", right);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		return serve(argv);
	if (argc == 5 && strcmp(argv[1], "ask") == 0)
		return ask(argv);
	return 2;
}
