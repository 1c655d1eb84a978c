// The part that an application of yours has already: it serves the page, and it knows how a user gets a token.
// Here it passes the login on to Lychgate, since a browser may ask nothing of another origin. Yours would look at the
// session that the user has with it.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const lychgate = process.env.LYCHGATE ?? "http://127.0.0.1:8000";
const port = Number(process.env.PORT ?? 8080);

const files = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript"],
  "/centrifuge.js": ["node_modules/centrifuge/dist/centrifuge.js", "text/javascript"],
};

async function answer(request, response) {
  if (request.method === "POST" && request.url === "/token") {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const login = await fetch(`${lychgate}/token`, { method: "POST", headers, body: Buffer.concat(chunks) });
    response.writeHead(login.status, { "content-type": "application/json" }).end(await login.text());
  } else if (request.url === "/config.json") {
    const address = `${lychgate.replace(/^http/, "ws")}/connection/websocket`;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ address }));
  } else if (files[request.url]) {
    const [name, type] = files[request.url];
    response.writeHead(200, { "content-type": type }).end(await readFile(new URL(name, import.meta.url)));
  } else {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((fault) => {
    console.error(fault.message);
    response.writeHead(502).end("{}");
  });
});
server.listen(port, "127.0.0.1", () => console.log(`http://localhost:${port}`));
