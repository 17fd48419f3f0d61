// SPDX-License-Identifier: Apache-2.0
// server.js PORT [BACKEND PORT]: answers with the number in the path, or with what the backend says.
const http = require('http');

const [port, backend] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const codes = { missing: 404, broken: 500 };

function answer(response, code, body) {
  response.writeHead(code, { 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

function ask(path, response) {
  http.get({ port: backend, host: '127.0.0.1', path, agent }, (reply) => {
    let body = '';
    reply.on('data', (piece) => { body += piece; });
    reply.on('end', () => answer(response, reply.statusCode, body));
  }).on('error', (error) => answer(response, 502, String(error)));
}

http.createServer((request, response) => {
  request.resume();
  if (backend) {
    ask(request.url, response);
    return;
  }
  const number = (request.url.match(/\d+/g) || ['-']).pop();
  answer(response, codes[request.url.split('/')[1]] || 200, number);
}).listen(port, '127.0.0.1', 256);
