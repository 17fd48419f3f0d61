// SPDX-License-Identifier: Apache-2.0
// undici, as fetch() of Node. Arguments: tests/lib/client_main.py.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const PERIOD = 251;
const STALL_MS = 4000;
const TIMEOUT_MS = 10000;
const INNER = 'GET /wire/p/0/8/99999999 HTTP/1.1\r\nHost: inside\r\nContent-Length: 0\r\n\r\n';

const [port, path, first, count, workers] = process.argv.slice(2)
  .map((word, index) => (index === 1 ? word : Number(word)));
const shapes = readFileSync(path, 'ascii').trim().split('\n').map((line) => {
  const [method, kind, body, answer, pad, flags] = line.split(' ');
  return { method, kind, body: +body, answer: +answer, pad: +pad, flags: flags.split(',') };
});
const longest = Math.max(...shapes.map((shape) => Math.max(shape.answer, shape.body)));
const table = Buffer.from(Array.from({ length: PERIOD + longest }, (_, i) => i % PERIOD));
const inner = Buffer.alloc(longest, INNER);
const report = { requests: 0, failed: 0, errors: [], stalls: 0, slowest_ms: 0 };

const pattern = (number, size) => table.subarray(number % PERIOD, (number % PERIOD) + size);

function fail(number, text) {
  report.failed += 1;
  if (report.errors.length < 5) report.errors.push(`request ${number}: ${text}`);
}

async function* pieces(data) {
  for (let begin = 0; begin < data.length; begin += 3000) yield data.subarray(begin, begin + 3000);
}

function options(shape, number) {
  const result = { method: shape.method, headers: {}, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (shape.pad) result.headers['X-Pad'] = 'p'.repeat(shape.pad);
  if (shape.body) {
    const data = shape.kind.includes('r') ? inner.subarray(0, shape.body)
      : pattern(number, shape.body);
    const chunked = shape.flags.includes('chunked');
    Object.assign(result, chunked ? { body: pieces(data), duplex: 'half' } : { body: data });
  }
  return result;
}

async function ask(number) {
  const shape = shapes[number % shapes.length];
  const target = `/wire/${shape.kind}/${shape.body}/${shape.answer}/${String(number).padStart(8, '0')}`;
  const answer = await fetch(`http://127.0.0.1:${port}${target}`, options(shape, number));
  const body = Buffer.from(await answer.arrayBuffer());
  if (answer.status !== 200) fail(number, `status ${answer.status}`);
  else if (!body.equals(pattern(number, shape.answer))) fail(number, `an answer of ${body.length} bytes`);
}

async function work(worker) {
  for (let number = first + worker; number < first + count; number += workers) {
    const begin = performance.now();
    await ask(number).catch((error) => fail(number, `${error} ${error.cause ?? ''}`));
    const took = performance.now() - begin;
    report.requests += 1;
    report.stalls += took > STALL_MS ? 1 : 0;
    report.slowest_ms = Math.max(report.slowest_ms, took);
  }
}

await new Promise((resolve) => createInterface({ input: process.stdin }).once('line', resolve));
const begin = performance.now();
await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
report.seconds = (performance.now() - begin) / 1000;
console.log(JSON.stringify(report));
process.exit(0);
