"""A token as a subprotocol, the one place where a page can put it outside of the address.

A browser gives up on a connection whose subprotocols are not answered, and shows a page nothing of a refusal that comes
before the upgrade. So both are looked at from inside of one, with the example whose tokens another application makes.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import pathlib
import sqlite3
import time
from collections.abc import Iterator

import pytest
from server import REPOSITORY, Server, start_server
from test_browser import in_browser
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CONFIG = REPOSITORY / "examples" / "song.toml"
SECRET = "the secret of the application with the people, 8f20"
ANSWER_SECONDS_MAX = 10

CONNECT = """
  const socket = new WebSocket("%(socket)s", ["jwt", "%(token)s"]);
  const frames = [];
  const welcomed = new Promise((done) => (socket.onmessage = ({ data }) => {
    frames.push(JSON.parse(data));
    if (frames.length === 2) done();
  }));
  await event(socket, "open");
  await within(20000, "a welcome", welcomed);
  const heard = event(socket, "message");
  socket.send(JSON.stringify({ type: "chat", data: { message: "Hello" } }));
  const chat = JSON.parse((await heard).data);
  socket.close(1000, "done");
  const { code, wasClean } = await event(socket, "close");
  return { protocol: socket.protocol, frames, chat, code, wasClean };
"""

REFUSED = """
  const socket = new WebSocket("%(socket)s", ["jwt", "%(token)s"]);
  const opened = event(socket, "open");
  const { code, reason, wasClean } = await event(socket, "close");
  await opened;
  return { protocol: socket.protocol, code, reason, wasClean };
"""


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(sub: str, seconds: int = 600) -> str:
    """A token as the other application makes it."""
    claims = {"sub": sub, "exp": int(time.time()) + seconds}
    signed = ".".join(part(json.dumps(piece).encode()) for piece in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rooms")
    with contextlib.closing(sqlite3.connect(folder / "people.db")) as people, people:
        people.execute("create table users (id integer primary key, email text, is_active boolean not null default true)")
        people.execute("insert into users (id, email) values (123, 'ann@example.com')")
    environment = {
        "JWT_SECRET_KEY": SECRET,
        "SCRAPER_SECRET": "the secret of calls to the application, 51c07be2",
        "LYCHGATE__SOURCE__PEOPLE__URL": f"sqlite:{folder}/people.db",
    }
    with start_server(folder, config=CONFIG, dev=False, **environment) as server:
        yield server


def test_a_page_connects_with_a_token_as_subprotocol(rooms: Server, tmp_path: pathlib.Path) -> None:
    result = in_browser(tmp_path, CONNECT % {"socket": f"{rooms.ws}/ws/123", "token": token("123")})
    assert (result["protocol"], result["code"], result["wasClean"]) == ("jwt", 1000, True)
    joined, welcome = result["frames"]
    assert (joined["type"], welcome["type"]) == ("user_joined", "welcome")
    assert welcome["data"]["authenticated"] is True
    assert welcome["data"]["user_email"] == "ann@example.com"
    assert result["chat"]["data"] == {"user_id": "123", "message": "Hello", "room_id": "general"}


@pytest.mark.parametrize(
    ("path", "sub", "seconds", "reason"),
    [
        ("124", "123", 600, "Unauthorized: User ID mismatch"),
        ("123", "123", -60, "Authentication failed"),
        ("anonymous", "999", 600, "Authentication failed"),
    ],
)
def test_a_page_reads_why_its_token_was_refused(
    rooms: Server, tmp_path: pathlib.Path, path: str, sub: str, seconds: int, reason: str
) -> None:
    result = in_browser(tmp_path, REFUSED % {"socket": f"{rooms.ws}/ws/{path}", "token": token(sub, seconds)})
    assert result == {"protocol": "jwt", "code": 1008, "reason": reason, "wasClean": True}


def test_a_library_negotiates_the_subprotocol(rooms: Server) -> None:
    with connect(f"{rooms.ws}/ws/123", subprotocols=["jwt", token("123")]) as socket:
        assert socket.subprotocol == "jwt"
        types = [json.loads(socket.recv(timeout=ANSWER_SECONDS_MAX))["type"] for _ in range(2)]
    assert types == ["user_joined", "welcome"]


@pytest.mark.parametrize("place", ["query", "header"])
def test_a_library_uses_the_other_places(rooms: Server, place: str) -> None:
    query = f"?token={token('123')}" if place == "query" else ""
    headers = {"Authorization": f"Bearer {token('123')}"} if place == "header" else {}
    with connect(f"{rooms.ws}/ws/123{query}", additional_headers=headers) as socket:
        socket.recv(timeout=ANSWER_SECONDS_MAX)
        assert json.loads(socket.recv(timeout=ANSWER_SECONDS_MAX))["data"]["authenticated"] is True


def test_a_library_without_a_token_is_told_so_and_a_visitor_comes_in(rooms: Server) -> None:
    with connect(f"{rooms.ws}/ws/123") as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=ANSWER_SECONDS_MAX)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "Authentication required")
    with connect(f"{rooms.ws}/ws/anonymous") as socket:
        assert json.loads(socket.recv(timeout=ANSWER_SECONDS_MAX))["data"]["user_id"] == "anonymous"
