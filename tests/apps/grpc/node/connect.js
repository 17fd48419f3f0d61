// SPDX-License-Identifier: Apache-2.0
// Connect's own library for Node.js at both ends, which speaks gRPC and gRPC-Web, too: ../README.md.
//
//   connect.js serve PORT HTTP                          HTTP: 1 or 2
//   connect.js call PORT COUNT THREADS HTTP PROTOCOL    PROTOCOL: connect, grpc, grpc-web or connect-get
"use strict";

const http = require("http");
const http2 = require("http2");
const { create, createFileRegistry } = require("@bufbuild/protobuf");
const wkt = require("@bufbuild/protobuf/wkt");
const { Code, ConnectError, createClient } = require("@connectrpc/connect");
const node = require("@connectrpc/connect-node");

const PARTS = 5;
const NUMBERS = 300; // methods of a kind that the server has
const FAILING = { NotFound: Code.NotFound, Internal: Code.Internal, Denied: Code.PermissionDenied };
const STREAMS = { ServerStream: [false, true], Cancel: [false, true], ClientStream: [true, false], Both: [true, true] };
const KINDS = ["Unary", "ServerStream", "ClientStream", "Both", "Slow", "Cancel", "NotFound", "Internal", "Denied"];

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// The service, described as a compiler of .proto files would do it.
function service() {
  const type = ".google.protobuf.StringValue";
  const method = [...KINDS, "Unknown"].flatMap((kind) => Array.from({ length: NUMBERS }, (_, n) => {
    const [clientStreaming, serverStreaming] = STREAMS[kind] || [false, false];
    return {
      name: `${kind}_${n}`, inputType: type, outputType: type, clientStreaming, serverStreaming,
      options: { idempotencyLevel: kind in STREAMS ? 0 : 1 }, // without side effects: may be a GET
    };
  }));
  const file = create(wkt.FileDescriptorProtoSchema, {
    name: "weft.proto", package: "weft", syntax: "proto3",
    dependency: ["google/protobuf/wrappers.proto"], service: [{ name: "Test", method }],
  });
  return createFileRegistry(file, () => wkt.file_google_protobuf_wrappers).getService("weft.Test");
}

const HANDLERS = {
  Unary: (request) => request,
  ServerStream: async function* (request) {
    for (let i = 0; i < PARTS; i++)
      yield request;
  },
  ClientStream: async (requests) => {
    let value = "";
    for await (const request of requests)
      value += request.value;
    return { value };
  },
  Both: (requests) => requests,
  Slow: async (request) => {
    await sleep(1000);
    return request;
  },
  Cancel: async function* (request, context) {
    yield request;
    await new Promise((done) => context.signal.addEventListener("abort", done));
  },
};

function serve(port, version) {
  const Test = service();
  const routes = (router) => {
    for (const method of Test.methods) {
      const kind = method.name.split("_")[0];
      if (kind in FAILING)
        router.rpc(method, () => {
          throw new ConnectError("as asked", FAILING[kind]);
        });
      else if (kind in HANDLERS)
        router.rpc(method, HANDLERS[kind]);
    }
  };
  const adapter = node.connectNodeAdapter({
    routes,
    // what it does not know: as a server that has the service, but not the method
    fallback: (_, response) => {
      response.writeHead(404);
      response.end();
    },
  });
  (version === "1" ? http : http2).createServer(adapter).listen(Number(port), "127.0.0.1");
}

const TRANSPORTS = {
  connect: node.createConnectTransport,
  "connect-get": (options) => node.createConnectTransport({ ...options, useHttpGet: true }),
  grpc: node.createGrpcTransport,
  "grpc-web": node.createGrpcWebTransport,
};

async function* messages() {
  for (let i = 0; i < PARTS; i++)
    yield { value: "x".repeat(100) };
}

// The status that the library tells of one call.
async function one(client, method, kind) {
  const call = client[method.localName];
  const [many] = STREAMS[kind] || [false];
  const stop = new AbortController();
  const request = many ? messages() : { value: "x".repeat(100) };
  const options = { timeoutMs: kind === "Slow" ? 300 : 30000, signal: stop.signal };
  try {
    const answer = call(request, options);
    if ((STREAMS[kind] || [])[1]) {
      for await (const _ of answer)
        if (kind === "Cancel")
          stop.abort();
    } else {
      await answer;
    }
    return "OK";
  } catch (error) {
    const name = Code[ConnectError.from(error).code].replace(/(?<=.)[A-Z]/g, "_$&").toUpperCase();
    return name === "CANCELED" ? "CANCELLED" : name; // as gRPC spells it
  }
}

async function call(port, count, threads, version, protocol) {
  const Test = service(), work = [], last = [], counts = {};
  const transport = TRANSPORTS[protocol]({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: version });
  const client = createClient(Test, transport);
  const tell = async (method, kind) => {
    const told = `${kind} ${await one(client, method, kind)}`;
    counts[told] = (counts[told] || 0) + 1;
  };
  for (const method of Test.methods) {
    const [kind, number] = method.name.split("_");
    const alone = kind === "Slow" || kind === "Cancel";
    if (number < (alone ? 3 : count) && !(kind === "Both" && version === "1") &&
        !(protocol === "connect-get" && kind in STREAMS))
      (alone ? last : work).push([method, kind]);
  }
  await Promise.all(Array.from({ length: threads }, async () => {
    while (work.length)
      await tell(...work.shift());
  }));
  for (const one of last)
    await tell(...one);
  await sleep(1200); // until the slow ones are over at the server, too
  console.log(JSON.stringify(counts));
  process.exit(0);
}

const [command, port, ...rest] = process.argv.slice(2);
if (command === "serve")
  serve(port, rest[0]);
else
  call(port, Number(rest[0]), Number(rest[1]), rest[2], rest[3]);
