// A broadcast server on ws, the usual WebSocket library of Node.
//
// Each message is stamped and serialised once, and sent as a Buffer, so that ws does not encode it anew for each client.
// The token check is HS256 on node:crypto, without a JWT library's overhead.

import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const [host, port] = process.argv[2].split(":");
const secret = process.env.BENCH_SECRET;
if (!secret) throw new Error("BENCH_SECRET is not set");

/** Returns the user of a valid token, or undefined. */
function userOf(token) {
  const parts = (token ?? "").split(".");
  if (parts.length !== 3) return undefined;
  const wanted = createHmac("sha256", secret).update(`${parts[0]}.${parts[1]}`).digest();
  const given = Buffer.from(parts[2], "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  const header = JSON.parse(Buffer.from(parts[0], "base64url"));
  const claims = JSON.parse(Buffer.from(parts[1], "base64url"));
  if (header.alg !== "HS256" || !(claims.exp > Date.now() / 1000) || claims.aud !== "lychgate") return undefined;
  return claims.sub;
}

const options = { noServer: true, perMessageDeflate: false, clientTracking: false };
const sockets = new WebSocketServer(options);
const room = new Set();

function joinRoom(socket, user) {
  room.add(socket);
  socket.on("close", () => room.delete(socket));
  socket.on("message", (data) => {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      socket.close(1007);
      return;
    }
    message.user = user;
    message.timestamp = Date.now() / 1000;
    message.requestId = randomUUID();
    const stamped = Buffer.from(JSON.stringify(message));
    for (const member of room) member.send(stamped, { binary: false });
  });
}

function joinEcho(socket) {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
}

const server = createServer((_request, response) => response.writeHead(404).end());
server.on("upgrade", (request, stream, head) => {
  const url = new URL(request.url, "http://localhost");
  const user = userOf(url.searchParams.get("token"));
  if (!user) {
    stream.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on("error", () => socket.terminate());
    if (url.pathname === "/echo") joinEcho(socket);
    else joinRoom(socket, user);
  });
});
server.listen({ host, port: Number(port), backlog: 4096 });
