// SPDX-License-Identifier: Apache-2.0
/*
 * A client of HTTPS that loads the library for it anew for each request, and unloads it again.
 *
 *   reload LIBGNUTLS PORT FIRST COUNT
 *
 * Requests /item/N, for COUNT numbers from FIRST on, each over a connection of its own. Prints how
 * many were answered with 200, and how often the library was gone from this process' memory
 * afterwards.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Of gnutls.h, so that its package is not needed. */
#define GNUTLS_CLIENT	       2
#define GNUTLS_CRD_CERTIFICATE 1
#define GNUTLS_SHUT_RDWR       0
#define GNUTLS_E_AGAIN	       (-28) /* a record came that brings no data */

#define WAIT_S 10

/* What is called, by the library's own names. */
struct gnutls {
	void *library;
	int (*init)(void **session, unsigned int flags);
	void (*deinit)(void *session);
	int (*certificate_allocate_credentials)(void **credentials);
	void (*certificate_free_credentials)(void *credentials);
	int (*set_default_priority)(void *session);
	int (*credentials_set)(void *session, int type, void *credentials);
	void (*transport_set_int2)(void *session, int in, int out);
	int (*handshake)(void *session);
	ssize_t (*record_send)(void *session, const void *data, size_t len);
	ssize_t (*record_recv)(void *session, void *data, size_t len);
	int (*bye)(void *session, int how);
};

static void *find(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (!found) {
		fprintf(stderr, "reload: %s\n", dlerror());
		exit(1);
	}
	return found;
}

static void load(struct gnutls *tls, const char *path)
{
	tls->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!tls->library) {
		fprintf(stderr, "reload: %s\n", dlerror());
		exit(1);
	}
#define FIND(name) tls->name = find(tls->library, "gnutls_" #name)
	FIND(init);
	FIND(deinit);
	FIND(certificate_allocate_credentials);
	FIND(certificate_free_credentials);
	FIND(set_default_priority);
	FIND(credentials_set);
	FIND(transport_set_int2);
	FIND(handshake);
	FIND(record_send);
	FIND(record_recv);
	FIND(bye);
#undef FIND
}

static int connect_to(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("reload: connect");
		exit(1);
	}
	return fd;
}

/* Non-zero: answered with 200. */
static int ask(const struct gnutls *tls, int port, int number)
{
	char request[128], answer[4096] = "";
	void *credentials, *session;
	int fd = connect_to(port), len, good = 0;
	size_t got = 0;
	ssize_t n;

	if (tls->certificate_allocate_credentials(&credentials) < 0 ||
	    tls->init(&session, GNUTLS_CLIENT) < 0)
		exit(1);
	tls->set_default_priority(session);
	tls->credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
	tls->transport_set_int2(session, fd, fd);
	len = snprintf(request, sizeof(request),
		       "GET /item/%d HTTP/1.1\r\nHost: reload\r\nConnection: close\r\n\r\n",
		       number);
	if (tls->handshake(session) >= 0 && tls->record_send(session, request, len) == len) {
		while (got < sizeof(answer) - 1) {
			n = tls->record_recv(session, answer + got, sizeof(answer) - 1 - got);
			if (n <= 0 && n != GNUTLS_E_AGAIN)
				break;
			got += n > 0 ? n : 0;
		}
		good = strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200 ", 5) == 0;
		tls->bye(session, GNUTLS_SHUT_RDWR);
	}
	tls->deinit(session);
	tls->certificate_free_credentials(credentials);
	close(fd);
	return good;
}

static int is_mapped(const char *path)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "re");
	int found = 0;

	while (maps && fgets(line, sizeof(line), maps))
		found |= strstr(line, path) != NULL;
	if (maps)
		fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	int good = 0, gone = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: reload LIBGNUTLS PORT FIRST COUNT\n");
		return 2;
	}
	for (int i = 0; i < atoi(argv[4]); i++) {
		struct gnutls tls;

		load(&tls, argv[1]);
		good += ask(&tls, atoi(argv[2]), atoi(argv[3]) + i);
		dlclose(tls.library);
		gone += !is_mapped(argv[1]);
	}
	printf("%d %d\n", good, gone);
	return 0;
}
