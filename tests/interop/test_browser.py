"""A real browser: what a page reads of a refusal, and the way from login to a message on screen."""

import contextlib
import http.server
import json
import pathlib
import queue
import subprocess
import threading
from collections.abc import Iterator

import pytest
from server import Server

SECONDS_MAX = 60

CHROMIUM = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Each page runs this around its own steps and posts what they return to the server it came from.
PAGE = """<!doctype html><meta charset="utf-8"><title>interop</title><script>
const within = (ms, what, promise) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error("nothing within " + ms + " ms: " + what)), ms)),
]);
const event = (socket, name) => within(20000, name, new Promise((done) => (socket["on" + name] = done)));
const steps = async () => { %s };
steps()
  .catch((fault) => ({ fault: String(fault) }))
  .then((result) => fetch("/result", { method: "POST", body: JSON.stringify(result) }));
</script>
"""

REFUSED = """
  const socket = new WebSocket("%(socket)s");
  const opened = event(socket, "open");
  const { code, reason, wasClean } = await event(socket, "close");
  await opened;
  return { code, reason, wasClean };
"""

LOGIN_AND_SEND = """
  const answer = await fetch("%(http)s/token", {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ username: "user", password: "password" }),
  });
  const { access_token } = await answer.json();
  const sockets = [1, 2].map(() => new WebSocket(`%(ws)s/ws?token=${access_token}`));
  await Promise.all(sockets.map((socket) => event(socket, "open")));
  const messages = sockets.map((socket) => event(socket, "message"));
  sockets[0].send(JSON.stringify({ type: "test", payload: { message: "Hello" } }));
  const received = (await Promise.all(messages)).map(({ data }) => JSON.parse(data));
  sockets[0].close(1000, "done");
  const { code, wasClean } = await event(sockets[0], "close");
  return { received, code, wasClean };
"""


def in_browser(folder: pathlib.Path, steps: str) -> dict:
    """What the steps return when a page runs them."""
    with serve_page(PAGE % steps) as (url, results), run_chromium(folder, url) as log:
        try:
            result = results.get(timeout=SECONDS_MAX)
        except queue.Empty:
            pytest.fail("the page gave no result; Chromium wrote:\n" + log.read_text(errors="replace"))
    assert "fault" not in result, result["fault"]
    return result


@contextlib.contextmanager
def serve_page(page: str) -> Iterator[tuple[str, queue.Queue[dict]]]:
    """Serves one page on loopback and collects what it posts back."""
    results: queue.Queue[dict] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the base class calls it so
            self.answer(page.encode() if self.path == "/" else b"")

        def do_POST(self) -> None:  # noqa: N802
            results.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Requests of the page are no news."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{web.server_port}/", results
        finally:
            web.shutdown()


@contextlib.contextmanager
def run_chromium(folder: pathlib.Path, url: str) -> Iterator[pathlib.Path]:
    """Opens the page in a browser that has never run before; gives the file that it writes its complaints to."""
    log = folder / "chromium.log"
    with log.open("wb") as stream:
        profile = folder / "profile"
        command = [*CHROMIUM, f"--user-data-dir={profile}", "--remote-debugging-port=0", url]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(10)
            finally:
                process.kill()
                process.wait()


@pytest.mark.parametrize(
    ("query", "reason"), [("", "Missing authentication token"), ("?token=abc", "Invalid or expired token")]
)
def test_a_page_reads_why_it_was_refused(server: Server, tmp_path: pathlib.Path, query: str, reason: str) -> None:
    result = in_browser(tmp_path, REFUSED % {"socket": f"{server.ws}/ws{query}"})
    assert result == {"code": 1008, "reason": reason, "wasClean": True}


def test_a_page_logs_in_sends_and_receives(server: Server, tmp_path: pathlib.Path) -> None:
    result = in_browser(tmp_path, LOGIN_AND_SEND % {"http": server.http, "ws": server.ws})
    assert (result["code"], result["wasClean"]) == (1000, True)
    here, there = result["received"]
    assert here == there
    assert (here["user"], here["payload"]) == ("user", {"message": "Hello"})
