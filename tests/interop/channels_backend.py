"""The application behind the clients: it signs tokens, cuts connections, and serves the page that runs them.

Its clients come through a proxy that it can cut: what happens to a connection there is what happens to one on a train.
"""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import pathlib
import queue
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping

FOLDER = pathlib.Path(__file__).parent
LIBRARY = FOLDER / "node_modules" / "centrifuge" / "dist"
SECRET = "the secret of the application with the channels, 51c0"

PAGE = """<!doctype html><meta charset="utf-8"><title>channels</title><script src="/%(library)s"></script>
<script type="module">
import { steps } from "/channels_steps.js";
steps({ ...%(setup)s, Centrifuge: window.Centrifuge })
  .catch((fault) => ({ fault: `${fault} ${JSON.stringify(fault)} ${fault.stack}` }))
  .then((result) => fetch("/result", { method: "POST", body: JSON.stringify(result) }));
</script>
"""


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(sub: str, seconds: float = 600, **more: object) -> str:
    """A token as the server makes them for itself, and as the application does with the same secret."""
    now = int(time.time())
    claims = {"iss": "lychgate", "aud": "lychgate", "sub": sub, "iat": now, "jti": "1", "sid": "1"}
    claims |= {"exp": now + int(seconds)} | more
    signed = ".".join(part(json.dumps(piece).encode()) for piece in ({"alg": "HS256", "typ": "at+jwt"}, claims))
    return f"{signed}.{part(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


class Proxy:
    """Passes bytes on to the server, until it is cut; then nothing passes until it is mended."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self.server = (host, int(port))
        self.lock = threading.Lock()
        self.is_cut = False
        self.open: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.is_cut:
                    client.close()
                    continue
                server = socket.create_connection(self.server)
                self.open |= {client, server}
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self.pass_on, args=(one, other), daemon=True).start()

    def pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        self.end({one, other})

    def end(self, sockets: set[socket.socket]) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        with self.lock:
            self.is_cut = True
            self.end(self.open)
            self.open.clear()

    def mend(self) -> None:
        with self.lock:
            self.is_cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Backend:
    """The application over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.results: queue.Queue[dict] = queue.Queue()
        self.protobuf = False
        self.transport = "websocket"

    @contextlib.contextmanager
    def behind(self, address: str, key: str) -> Iterator["Backend"]:
        """It, once its server listens there, which takes this key of the API."""
        self.proxy = Proxy(address)
        self.direct = f"ws://{address}"
        self.api, self.key = f"http://{address}/api", key
        try:
            yield self
        finally:
            self.proxy.close()

    def setup(self, *, protobuf: bool) -> dict:
        """What the steps have to know."""
        addresses = {"direct": self.direct, "proxied": self.proxy.ws, "backend": self.url}
        return addresses | {"protobuf": protobuf, "transport": self.transport}

    def get(self, path: str) -> tuple[str, bytes]:
        address = urllib.parse.urlsplit(path)
        match address.path:
            case "/token":
                query = dict(urllib.parse.parse_qsl(address.query))
                seconds = float(query.pop("seconds", "600"))
                for name in {"info", "channels", "subs"} & query.keys():
                    query[name] = json.loads(query[name])
                return "text/plain", token(query.pop("sub"), seconds, **query).encode()
            case "/page":
                library = "centrifuge.protobuf.js" if self.protobuf else "centrifuge.js"
                setup = json.dumps(self.setup(protobuf=self.protobuf))
                return "text/html; charset=utf-8", (PAGE % {"library": library, "setup": setup}).encode()
            case "/channels_steps.js":
                return "text/javascript", (FOLDER / "channels_steps.js").read_bytes()
            case "/centrifuge.js" | "/centrifuge.protobuf.js":
                return "text/javascript", (LIBRARY / address.path[1:]).read_bytes()
        return "text/plain", b""

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        match path:
            case "/call" if (call := json.loads(body))["event"] == "connect":
                data = {"user": call["data"]["user"], "tenant": headers.get("x-tenant")}
                result = {"user": data["user"], "data": data, "channels": ["chat:3"], "info": {"by": "the application"}}
                return json.dumps({"result": result}).encode()
            case "/call":
                if call["event"] == "publish":
                    # A publication that the application puts labels on.
                    return json.dumps({"result": {"tags": {"by": call["user"], "what": "é 👋"}}}).encode()
                data = {"method": call["method"], "data": call["data"], "user": call["user"]}
                return json.dumps({"result": {"data": data}}).encode()
            case "/cut":
                self.proxy.cut()
            case "/mend":
                self.proxy.mend()
            case "/result":
                self.results.put(json.loads(body))
            case _ if path.startswith("/api/"):
                return self.order(path.removeprefix("/api/"), json.loads(body))
        return b""

    def order(self, method: str, request: dict) -> bytes:
        """Has the server do something, by its API."""
        call = urllib.request.Request(f"{self.api}/{method}", json.dumps(request).encode(), {"X-API-Key": self.key})
        with urllib.request.urlopen(call) as answer:
            return answer.read()


@contextlib.contextmanager
def start_backend() -> Iterator[Backend]:
    """The application, until the block ends; its server has still to be started."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the base class calls it so
            self.answer(*backend.get(self.path))

        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.answer("application/json", backend.post(self.path, body, self.headers))

        def answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Requests of the clients are no news."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        backend = Backend(f"http://127.0.0.1:{web.server_port}")
        threading.Thread(target=web.serve_forever, daemon=True).start()
        try:
            yield backend
        finally:
            web.shutdown()
