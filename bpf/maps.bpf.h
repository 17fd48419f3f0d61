/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The maps of the kernel side: declared here, defined in maps.bpf.c. */
#ifndef WEFT_MAPS_BPF_H
#define WEFT_MAPS_BPF_H

#include "abi/stats.h"
#include "conn.bpf.h"

/*
 * Records for the pipeline. Sized by the option --ring-size before loading; 8 MiB hold 20 ms at
 * about a million small records a second.
 */
struct events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
};
extern struct events_map events SEC(".maps");

/* Records for the watcher: processes that appear and go. */
struct process_events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
};
extern struct process_events_map process_events SEC(".maps");

/*
 * State of a connection, kept with its socket: freed with it, cannot leak. Made by the socket
 * probes on a socket's first bytes.
 */
struct conns_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
};
extern struct conns_map conns SEC(".maps");

/*
 * The same by the socket's address, for probes that may not use socket storage (kprobes, io_uring).
 * Made on a socket's first bytes, deleted when it closes; the size bounds what is followed at a
 * time.
 */
struct conns_by_sk_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct conn);
};
extern struct conns_by_sk_map conns_by_sk SEC(".maps");

/* A state of zeroes, for new entries of `conns_by_sk`: too large for a program's stack. Never
 * written. */
struct conn_template_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct conn);
};
extern struct conn_template_map conn_template SEC(".maps");

/*
 * Exchanges that interleave on their connections. Made when a request begins, deleted when both of
 * its messages have ended; those whose connection ends before fall out as the oldest. What is
 * evicted too early loses its sizes and its end, which is counted when it is missed.
 */
struct streams_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct stream_key);
	__type(value, struct stream);
};
extern struct streams_map streams SEC(".maps");

#define TLS_ARRIVED_MAX 8 /* a power of two */

/* A record of application data that has come in. */
struct tls_arrived {
	__u32 seq;
	__u32 len;
};

/* A socket that carries TLS, as far as it matters to what it carries. */
struct tls_socket {
	__u64 sk;     /* its address, 0: none */
	__u64 cookie; /* of the state of what it carries */
	__u8 active;  /* this end has opened the connection */
	__u8 version; /* enum tls_version */
	__u16 cipher; /* of IANA's registry */
	__u8 pad[4];
};

/* A thread's call into a TLS library, and the socket that the thread last used for TLS. */
struct tls_call {
	__u64 session; /* the library's object, 0: no call is under way */
	__u64 buf;
	__u64 first[2]; /* writes: the buffer's first bytes */
	__u64 size_at;	/* reads: where the call leaves the number of bytes, 0: it returns it */
	__u32 size;
	__u32 used;  /* writes: bytes that are in records already */
	__u8 dir;    /* enum direction */
	__u8 inside; /* the socket was used within the call */
	__u8 again;  /* what it writes is to be walked behind what is walked now */
	__u8 whole;  /* all that it writes has been taken, however much is sent at first */
	__u32 n_arrived;
	__u32 n_iov; /* writes: slices that `buf` points to, 0: it points to the bytes */
	__u32 pad;
	struct tls_arrived arrived[TLS_ARRIVED_MAX]; /* with the last bytes of the socket */
	struct tls_socket socket;
};

/* What a thread is serving: context.bpf.c. By thread id; deleted when the thread ends. */
struct unit {
	struct request_ref current;
	__u64 mmsg;	   /* sendmmsg, recvmmsg: the vector of the call that is under way */
	__u32 mmsg_next;   /* and the index of its next message */
	__u32 multiplexes; /* another request came before one was answered: the thread cannot tell
			    */
	__u64 call_sk;	   /* kprobes: address of the socket that a call has begun on, 0: none */
	__u32 call_dir;	   /* its enum direction */
	__u8 opens;	   /* an event loop that has opened connections for requests */
	__u8 answered;	   /* `current` was adopted, and its connection has been written to since */
	__u8 pad[2];
	struct tls_call tls;
};

struct units_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct unit);
};
extern struct units_map units SEC(".maps");

/*
 * Server requests whose answer was ended by another thread than the one that read them: key is the
 * span id. Written at the end of such a request, read before a parent is taken from a thread. An
 * evicted entry only means that a thread's next request must come first to be noticed.
 */
struct ended_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
};
extern struct ended_map ended SEC(".maps");

/*
 * Connections of selected clients whose messages are seen before they leave: probes/sk_msg.bpf.c.
 * Key: the socket's cookie. A socket that closes leaves by itself.
 */
struct wire_socks_map {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
};
extern struct wire_socks_map wire_socks SEC(".maps");

/*
 * Contexts that came in TCP options, until the bytes that they came with are read. What is evicted
 * was not read for long, and its request finds its parent another way or starts a trace.
 */
struct options_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct option_key);
	__type(value, struct trace_context);
};
extern struct options_map options SEC(".maps");

/*
 * Requests whose context could not travel with them, by the name that both ends give to the
 * exchange. The receiver may come before the sender's record of it; it looks again when it needs to
 * know. What another one takes the place of is found by user space.
 */
struct notice {
	struct notice_key key;
	struct trace_context context;
	__u64 time_ns;
	__u32 busy;    /* 1: it is being written */
	__u32 version; /* how often it was written */
};

#define NOTICES_MAX 8192 /* a power of two */

struct notices_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NOTICES_MAX);
	__type(key, __u32);
	__type(value, struct notice);
};
extern struct notices_map notices SEC(".maps");

struct wire_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_config);
};
extern struct wire_map wire SEC(".maps");

/*
 * Connections that the iterator has asked callbacks for, and nobody else had; the value counts
 * segments that nobody traces. Deleted with the socket, or when nobody turns out to need the
 * callbacks.
 */
struct asked_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
};
extern struct asked_map asked SEC(".maps");

/* Selection and unit kind by process. Written by the watcher and, on fork, by the kernel side. */
struct processes_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct process_config);
};
extern struct processes_map processes SEC(".maps");

/*
 * Which connection a TLS library's object belongs to. Made when the socket is used within a call,
 * or by the thread that has read from it last. What is evicted, or is of a socket that has closed,
 * is found anew.
 */
struct tls_session_key {
	__u64 session; /* address of the object */
	__u64 pid;
};

/* The library does not use the socket itself: the program carries records between them. */
#define TLS_APART_IN  (1 << 0)
#define TLS_APART_OUT (1 << 1)

struct tls_session {
	__u64 sk;
	__u64 cookie;
	__u32 apart; /* TLS_APART_* */
	__u32 pad;
};

struct tls_sessions_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tls_session_key);
	__type(value, struct tls_session);
};
extern struct tls_sessions_map tls_sessions SEC(".maps");

#define TLS_QUEUE_MAX 16 /* a power of two */

/*
 * A socket whose session is found from the session itself, not from the thread that uses both: a
 * runtime that moves its tasks from thread to thread.
 */
struct tls_direct {
	__u64 session; /* the runtime's object, 0: not known yet */
	__u64 buf;     /* of a write that is under way */
	__u32 size;
	__u32 used;    /* bytes of it that are in records already */
	__u32 taken;   /* bytes of the oldest record that have been read */
	__u32 arrived; /* records of data that have come, and been read: counted on and on */
	__u32 read;
	__u8 added;	/* bytes that the cipher adds, 0: not known */
	__u8 handshake; /* TLS 1.3, accepted: records that the handshake has taken */
	__u8 pad[2];
	struct tls_socket socket; /* as of its last call */
	struct tls_arrived queue[TLS_QUEUE_MAX];
};

/* Key: the socket's address. Made by its first call in such a process, deleted when it closes. */
struct tls_directs_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct tls_direct);
};
extern struct tls_directs_map tls_directs SEC(".maps");

/* Processes in which there are such sockets. Written by the watcher, and by the first call. */
struct tls_processes_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, __u8);
};
extern struct tls_processes_map tls_processes SEC(".maps");

#define TLS_SLICES_MAX 8

/* Bytes that lie in several places: an array of them may be gone before they are walked. */
struct tls_slices {
	struct iovec slices[TLS_SLICES_MAX];
};

/* Of the write that a thread's `struct tls_call` is, if it has such. Key: thread id. */
struct tls_waiting_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct tls_slices);
};
extern struct tls_waiting_map tls_waiting SEC(".maps");

/* A task of a runtime reads: what it was called with. Key: the task, and its process. */
struct tls_read_key {
	__u64 task;
	__u64 pid;
};

struct tls_read {
	__u64 session;
	__u64 sk;
	__u64 buf;
	__u64 size;
};

struct tls_reads_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct tls_read_key);
	__type(value, struct tls_read);
};
extern struct tls_reads_map tls_reads SEC(".maps");

/* By PROCESS_MARK_OF(): written by those who select a process in `processes`. */
extern __u8 process_marks[PROCESS_MARKS];

static __always_inline void process_mark(__u32 pid)
{
	process_marks[PROCESS_MARK_OF(pid)] = 1;
}

/* Counters by enum stat_id. */
struct stats_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STAT_MAX);
	__type(key, __u32);
	__type(value, __u64);
};
extern struct stats_map stats SEC(".maps");

/*
 * Of each FOLLOW_WINDOW_NS, those ns at its beginning in which exchanges may begin to be followed
 * on this processor, 0: all. Written by the watcher.
 */
struct follow_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
};
extern struct follow_map follow SEC(".maps");

enum scratch_slot {
	SCRATCH_DATA,  /* socket calls */
	SCRATCH_STATE, /* state changes: also in softirq */
	SCRATCH_URING,
	SCRATCH_WIRE, /* messages that are about to leave */
	SCRATCH_TLS,  /* what TLS libraries are handed, also within a socket call, */
	SCRATCH_MAX = SCRATCH_TLS + 3, /* and two more: programs there may be preempted */
};

/* Room for one call per CPU and kind of caller (enum scratch_slot). */
struct scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_MAX);
	__type(key, __u32);
	__type(value, struct walk);
};
extern struct scratch_map scratch SEC(".maps");

/* One page that the pipeline has mapped. */
struct control_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct weft_control);
};
extern struct control_map control SEC(".maps");

/* Set by user space between open and load. */
extern const volatile struct weft_knobs knobs;

static __always_inline void stat_add_many(enum stat_id id, __u64 n)
{
	__u32 key = id;
	__u64 *count = bpf_map_lookup_elem(&stats, &key);

	if (count)
		*count += n;
}

static __always_inline void stat_add(enum stat_id id)
{
	stat_add_many(id, 1);
}

#endif
