/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of looking at messages before they leave. A kernel that breaks FIONREAD does so for every
 * socket in the sockhash, and those leave it when sock_ops sees them send. If sock_ops went first,
 * a socket that has not sent yet would stay until the map is gone, some 20 ms later, and a program
 * that sends just then and asks FIONREAD (nginx, Java, .NET) may wait for ever.
 */
#ifndef WEFT_ATTACH_ENROLMENT_H
#define WEFT_ATTACH_ENROLMENT_H

/* Descriptors. Whoever has them keeps sock_ops attached. */
enum enrolment_fd {
	ENROLMENT_LINK,	  /* of sock_ops to the cgroup */
	ENROLMENT_SOCKS,  /* the sockhash */
	ENROLMENT_CONFIG, /* the map `wire` */
	ENROLMENT_FDS,
};

struct enrolment {
	int fds[ENROLMENT_FDS];
};

/* Sockets are enrolled again, if one of the processes that see to the end was ended alone. -errno.
 */
int enrolment_resume(const struct enrolment *enrolment);

/*
 * From now on no socket is enrolled, and none is when this returns, some ten milliseconds later;
 * then the link may go. Makes no call but bpf(2) on these maps, membarrier(2) and
 * clock_nanosleep(2).
 */
void enrolment_end(const struct enrolment *enrolment);

#endif
