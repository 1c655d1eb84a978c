"""Login and broadcast through `httpx` and `websockets`, two clients that share no line of code with the server."""

import base64
import json
import pathlib
import time
import uuid

import httpx
import pytest
from server import Server, start_server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

ANSWER_SECONDS_MAX = 10


def receive(socket: ClientConnection) -> dict:
    return json.loads(socket.recv(timeout=ANSWER_SECONDS_MAX))


def close_of(url: str) -> tuple[int, str]:
    """The code and the reason that the server closes this socket with, after it accepted it."""
    with connect(url) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=ANSWER_SECONDS_MAX)
    assert closed.value.rcvd is not None, "the server broke the connection without a close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_login_gives_a_bearer_token(server: Server) -> None:
    answer = httpx.post(f"{server.http}/token", data={"username": "user", "password": "password"})
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in"}
    assert (body["token_type"].lower(), body["expires_in"]) == ("bearer", 1800)
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "form", [{"username": "user", "password": "wrong"}, {"username": "nobody", "password": "password"}]
)
def test_wrong_credentials_are_refused_alike(server: Server, form: dict[str, str]) -> None:
    answer = httpx.post(f"{server.http}/token", data=form)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["detail"] == "Incorrect username or password"


def test_a_message_reaches_both_clients_with_the_same_stamp(server: Server) -> None:
    token = server.login()
    with connect(server.socket(token)) as sender, connect(server.socket(token)) as other:
        before = time.time()
        sender.send('{"type":"test","payload":{"n":1.50,"text":"grüße 👋"},"user":"mallory","timestamp":0}')
        here, there = sender.recv(timeout=ANSWER_SECONDS_MAX), other.recv(timeout=ANSWER_SECONDS_MAX)
    assert here == there
    assert '"n":1.50' in here, "a number that the client wrote is not rewritten"
    message = json.loads(here)
    assert message["payload"] == {"n": 1.5, "text": "grüße 👋"}
    assert message["user"] == "user"
    assert before - 1 <= message["timestamp"] <= time.time() + 1
    assert uuid.UUID(message["requestId"]).version in (4, 7)
    assert len(message) == 5


def test_many_messages_arrive_in_order_and_once(server: Server) -> None:
    token = server.login()
    with connect(server.socket(token)) as sender, connect(server.socket(token)) as other:
        for n in range(50):
            sender.send(json.dumps({"n": n}))
        for socket in (sender, other):
            assert [receive(socket)["n"] for _ in range(50)] == list(range(50))


def test_a_large_fragmented_message_comes_back_whole(server: Server) -> None:
    text = "ä" * 20_000
    with connect(server.socket(server.login())) as socket:
        frame = json.dumps({"text": text}, ensure_ascii=False)
        socket.send(frame[at : at + 1000] for at in range(0, len(frame), 1000))
        assert receive(socket)["text"] == text


@pytest.mark.parametrize("frame", ["no json", "[1]", '"text"', "{", '{"a":1,"a":2}'])
def test_a_frame_that_is_no_object_gets_an_error_and_the_socket_goes_on(server: Server, frame: str) -> None:
    with connect(server.socket(server.login())) as socket:
        socket.send(frame)
        assert receive(socket)["type"] == "error"
        socket.send('{"type":"next"}')
        assert receive(socket)["type"] == "next"


def test_the_test_token_opens_a_socket(server: Server) -> None:
    answer = httpx.get(f"{server.http}/test-token").json()
    assert answer.keys() == {"test_token", "note"}
    with connect(server.socket(answer["test_token"])) as socket:
        socket.send('{"type":"test"}')
        assert receive(socket)["user"] == "user"


def test_no_token_is_refused_by_name(server: Server) -> None:
    assert close_of(f"{server.ws}/ws") == (1008, "Missing authentication token")


def bad_tokens() -> dict[str, str]:
    """Tokens that nobody may accept, by what is wrong with them; `{good}` is one that is in order."""
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return {
        "no token at all": "abc",
        "three dots": "a.b.c",
        "signature cut off": "{good.head}.{good.claims}.",
        "signature of another token": "{good.head}.{good.claims}." + "A" * 86,
        "claims of another token": "{good.head}.eyJzdWIiOiJhZG1pbiJ9.{good.signature}",
        "algorithm none": unsigned + ".{good.claims}.",
        "the one printed in an old guide": (
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyIn0.dNsYhOKsYlKZzUmOJl8Zpf9SbJ4DJxhd3AU6pO-PWko"
        ),
    }


@pytest.mark.parametrize("fault", bad_tokens())
def test_a_bad_token_is_refused_by_name(server: Server, fault: str) -> None:
    head, claims, signature = server.login().split(".")
    token = bad_tokens()[fault]
    for name, part in {"head": head, "claims": claims, "signature": signature}.items():
        token = token.replace(f"{{good.{name}}}", part)
    assert close_of(server.socket(token)) == (1008, "Invalid or expired token")
    # The control: the same parts, untouched, are let in.
    with connect(server.socket(f"{head}.{claims}.{signature}")) as socket:
        socket.send("{}")
        assert receive(socket)["user"] == "user"


def test_two_tokens_are_refused(server: Server) -> None:
    token = server.login()
    code, _ = close_of(f"{server.socket(token)}&token={token}")
    assert code == 1008


def test_no_token_reaches_the_log(tmp_path: pathlib.Path) -> None:
    with start_server(tmp_path, LYCHGATE__LOG__LEVEL="trace") as server:
        token = server.login()
        with connect(server.socket(token)) as socket:
            socket.send("{}")
            receive(socket)
        head, claims, signature = token.split(".")
        forged = "A" * len(signature)
        close_of(server.socket(f"{head}.{claims}.{forged}"))
    # The welcome of a development server names the demo password; what counts is what is logged.
    log = "\n".join(line for line in server.log if line.startswith("{"))
    assert "bad_signature" in log, "the refusal was logged at all"
    for secret in (signature, forged, claims, "password=password"):
        assert secret[:16] not in log
