// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct events_map events SEC(".maps");
struct process_events_map process_events SEC(".maps");
struct conns_map conns SEC(".maps");
struct conns_by_sk_map conns_by_sk SEC(".maps");
struct conn_template_map conn_template SEC(".maps");
struct streams_map streams SEC(".maps");
struct units_map units SEC(".maps");
struct ended_map ended SEC(".maps");
struct wire_socks_map wire_socks SEC(".maps");
struct options_map options SEC(".maps");
struct notices_map notices SEC(".maps");
struct wire_map wire SEC(".maps");
struct asked_map asked SEC(".maps");
struct processes_map processes SEC(".maps");
struct tls_sessions_map tls_sessions SEC(".maps");
struct tls_directs_map tls_directs SEC(".maps");
struct tls_waiting_map tls_waiting SEC(".maps");
struct tls_processes_map tls_processes SEC(".maps");
struct tls_reads_map tls_reads SEC(".maps");
struct stats_map stats SEC(".maps");
struct follow_map follow SEC(".maps");
struct scratch_map scratch SEC(".maps");
struct control_map control SEC(".maps");

__u8 process_marks[PROCESS_MARKS] = {};
const volatile struct weft_knobs knobs = {};
