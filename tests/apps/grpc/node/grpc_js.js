// SPDX-License-Identifier: Apache-2.0
// gRPC's own library for Node.js at both ends: ../README.md.
"use strict";

const grpc = require("@grpc/grpc-js");

const PARTS = 5;
const NUMBERS = 1000; // methods of a kind that the server has
const FAILING = {
  NotFound: grpc.status.NOT_FOUND,
  Internal: grpc.status.INTERNAL,
  Denied: grpc.status.PERMISSION_DENIED,
};
const same = (bytes) => bytes;

const HANDLERS = {
  Unary: (request, done) => done(null, request),
  ServerStream: (stream) => {
    for (let i = 0; i < PARTS; i++)
      stream.write(stream.request);
    stream.end();
  },
  ClientStream: (stream, done) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => done(null, Buffer.concat(parts)));
  },
  Both: (stream) => {
    stream.on("data", (part) => stream.write(part));
    stream.on("end", () => stream.end());
  },
  Slow: (request, done) => setTimeout(() => done(null, request), 1000),
  Cancel: (stream) => stream.write(stream.request),
};

const TYPES = { ServerStream: [false, true], Cancel: [false, true], ClientStream: [true, false], Both: [true, true] };

function definition(kind, number) {
  const [requestStream, responseStream] = TYPES[kind] || [false, false];
  return {
    path: `/weft.Test/${kind}_${number}`, requestStream, responseStream,
    requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
  };
}

function unary(kind) {
  if (kind in FAILING)
    return (_, done) => done({ code: FAILING[kind], details: "as asked" });
  return (call, done) => HANDLERS[kind](call.request, done);
}

function serve(port) {
  const server = new grpc.Server();
  const service = {}, handlers = {};
  for (const kind of [...Object.keys(HANDLERS), ...Object.keys(FAILING)])
    for (let n = 0; n < NUMBERS; n++) {
      service[`${kind}_${n}`] = definition(kind, n);
      handlers[`${kind}_${n}`] = kind in TYPES ? HANDLERS[kind] : unary(kind);
    }
  server.addService(service, handlers);
  server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error)
      throw error;
  });
}

const MESSAGE = Buffer.alloc(100, "x");

function write(stream) {
  for (let i = 0; i < PARTS; i++)
    stream.write(MESSAGE);
  stream.end();
}

function name(code) {
  return Object.keys(grpc.status).find((key) => grpc.status[key] === code);
}

// The status that the library tells of one call.
function one(client, kind, number) {
  return new Promise((done) => {
    const options = { deadline: Date.now() + (kind === "Slow" ? 300 : 30000) };
    const { path, requestStream, responseStream } = definition(kind, number);
    const method = [path, same, same];
    const ignore = () => {};
    let call;
    if (requestStream && responseStream)
      call = client.makeBidiStreamRequest(...method, options);
    else if (requestStream)
      call = client.makeClientStreamRequest(...method, options, ignore);
    else if (responseStream)
      call = client.makeServerStreamRequest(...method, MESSAGE, options);
    else
      call = client.makeUnaryRequest(...method, MESSAGE, options, ignore);
    call.on("status", (status) => done(name(status.code)));
    if (responseStream) {
      call.on("error", ignore);
      call.on("data", () => kind === "Cancel" && call.cancel());
    }
    if (requestStream)
      write(call);
  });
}

async function call(port, count, threads) {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const work = [], counts = {};
  const tell = async (kind, number) => {
    const told = `${kind} ${await one(client, kind, number)}`;
    counts[told] = (counts[told] || 0) + 1;
  };
  for (const kind of [...Object.keys(HANDLERS), ...Object.keys(FAILING), "Unknown"])
    for (let n = 0; n < count && kind !== "Slow" && kind !== "Cancel"; n++)
      work.push([kind, n]);
  await Promise.all(Array.from({ length: threads }, async () => {
    while (work.length)
      await tell(...work.shift());
  }));
  for (let n = 0; n < 3; n++) {
    await tell("Slow", n);
    await tell("Cancel", n);
  }
  await new Promise((done) => setTimeout(done, 1200)); // until the slow ones are over at the server, too
  client.close();
  console.log(JSON.stringify(counts));
}

const [command, ...numbers] = process.argv.slice(2);
if (command === "serve")
  serve(...numbers);
else
  call(...numbers.map(Number));
