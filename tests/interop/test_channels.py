"""The published libraries of the Centrifuge protocol, as they are, against a server with channels.

`centrifuge` from npm runs in Node and in a browser, `centrifuge-python` from PyPI here; each in JSON and in Protobuf.
All of them go the same steps (channels_steps.js, channels_steps.py), and what they have seen is judged here, once.
Refusals that a library would not notice are proved on raw sockets, by the server's own tests.
"""

import asyncio
import json
import pathlib
import queue
import subprocess
from collections.abc import Iterator

import pytest
from channels_backend import FOLDER, SECRET, Backend, start_backend
from channels_steps import steps
from server import make_api_key, start_server
from test_browser import run_chromium

SECONDS_MAX = 90


@pytest.fixture
def backend(tmp_path: pathlib.Path) -> Iterator[Backend]:
    with start_backend() as backend:
        environment = {"CHANNELS_SECRET": SECRET, "LYCHGATE__SOURCE__APPLICATION__URL": f"{backend.url}/call"}
        config = FOLDER / "channels.toml"
        key = make_api_key(tmp_path, config, "channels:publish", "channels:manage", **environment)
        with (
            start_server(tmp_path, config=config, dev=False, **environment) as server,
            backend.behind(server.address, key),
        ):
            yield backend


def in_node(backend: Backend, _: pathlib.Path, *, protobuf: bool) -> dict:
    setup = json.dumps(backend.setup(protobuf=protobuf))
    ended = subprocess.run(
        ["node", "channels_node.js", setup], cwd=FOLDER, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def in_chromium(backend: Backend, folder: pathlib.Path, *, protobuf: bool) -> dict:
    backend.protobuf = protobuf
    with run_chromium(folder, f"{backend.url}/page") as log:
        try:
            result = backend.results.get(timeout=SECONDS_MAX)
        except queue.Empty:
            pytest.fail("the page gave no result; Chromium wrote:\n" + log.read_text(errors="replace"))
    assert "fault" not in result, result["fault"]
    return result


def in_python(backend: Backend, _: pathlib.Path, *, protobuf: bool) -> dict:
    return asyncio.run(steps(backend, protobuf=protobuf))


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
@pytest.mark.parametrize("run", [in_node, in_chromium, in_python])
def test_a_library_works_unchanged(backend: Backend, tmp_path: pathlib.Path, run, protobuf: bool) -> None:
    judge(run(backend, tmp_path, protobuf=protobuf))


@pytest.mark.parametrize(
    ("transport", "protobuf"),
    [("sse", False), ("http_stream", False), ("http_stream", True), ("blocked", False)],
    ids=["sse", "http_stream-json", "http_stream-protobuf", "websocket-blocked"],
)
@pytest.mark.parametrize("run", [in_node, in_chromium])
def test_it_works_where_no_websocket_gets_through(
    backend: Backend, tmp_path: pathlib.Path, run, transport: str, protobuf: bool
) -> None:
    backend.transport = transport
    seen = run(backend, tmp_path, protobuf=protobuf)
    assert seen["ways"] == ["sse" if transport == "sse" else "http_stream"]
    judge(seen)


def judge(seen: dict) -> None:
    # Two clients and a plain socket in one channel.
    first = {"n": 1, "text": "grüße 👋"}
    assert seen["plain"] == [first, {"n": 2}, {"n": 3}]
    assert seen["other"] == [[first, 1, "ann"], [{"n": 2}, 2, "bob"], [{"n": 3}, 3, "cleo"]]
    assert seen["history"] == [[[3, 3], [2, 2]], 3]
    assert seen["since"] == [2, 3]
    assert seen["presence"] == ["ann", "bob"]
    assert seen["stats"] == {"numClients": 2, "numUsers": 2}

    # A cut: everything once and in order, and the server's own subscription as well.
    assert [(data["n"], offset) for data, offset, _ in seen["publications"]] == [(n, n) for n in range(1, 42)]
    assert seen["subscribed"] == [[True, True, False, False], [True, True, True, True]]
    assert seen["inbox"] == [["inbox:ann", {"n": 1}], ["inbox:ann", {"n": 2}]]
    assert seen["inboxes"] == [["inbox:ann", False, False], ["inbox:ann", True, True]]
    assert seen["people"][:2] == ["join ann", "join bob"] and seen["people"][-1] == "leave bob"
    two = [[{"n": 3}, 3, "ann"], [{"n": 4}, 4, "ann"]]
    assert seen["kept"] == [[True, True, True, True], two]
    assert seen["asked"] == [two, 2], "an application that cannot bear a loss is asked where it is, again"
    # centrifuge-python has no other way to say where it was.
    assert seen.get("lost") in (None, [[True, True, True, False], []]), "what is forgotten is not told in part"

    # Into channels by the token: what was missed in a cut comes once and in order, and people are told of.
    silver, inbox = ["paid:silver", None], ["inbox:dora", None]
    chat = ["chat:2", {"topic": "lamps"}]
    assert seen["put"]["channels"] == [[*chat, False, False], [*inbox, False, False], [*silver, False, False]]
    assert seen["put"]["again"] == [[*chat, True, True], [*inbox, True, True], [*silver, False, False]]
    assert seen["put"]["publications"] == [["chat:2", {"n": n}] for n in range(1, 5)]
    assert seen["put"]["people"] == [["chat:2", "join dora"], True]

    # Without a token the application says who it is, and where it belongs.
    assert seen["named"] == {
        "data": {"user": "finn", "tenant": "acme"},
        "channels": ["chat:3", "inbox:finn"],
        "publications": [["chat:3", {"n": 1}]],
        "info": {"by": "the application"},
    }

    # Differences come to what was said, live and in what was missed.
    assert [data["n"] for data, _, _ in seen["long"]] == list(range(1, 10))
    assert all(data["text"] == "lorem ipsum dolor sit amet " * 20 for data, _, _ in seen["long"])

    # What was missed is told whole; centrifuge-python does not count differences.
    assert seen.get("deltas") in (None, 3)

    # Refusals, as the library tells them.
    assert seen["refused"] == {"other:1": 102, "chat:x": 107, "paid:gold": 103}
    assert seen["errors"] == {"publish": 103, "presence": 108, "history": 108, "epoch": 112, "rpc": 108}
    assert seen["ended"] == seen["ended"] | {"bad": 3500, "foreign": 3500, "stays": [], "ann": []}
    assert seen["ended"].get("send", 3508) == 3508

    # A call is answered by the application.
    assert seen["called"] == {"method": "add", "data": {"a": 1}, "user": "bob"}

    # What the application does to a client by the server API, the library tells as it should.
    assert seen["moved"] == {
        "subscribed": [["inbox:moved", False, False], ["chat:9", False, False]],
        "publications": [["chat:9", {"n": 1}], ["chat:9", {"n": 2}]],
        "unsubscribed": ["chat:9"],
        "ended": 4500,
    }

    # What the application says beside a payload comes with it, and stays with it.
    assert seen["tags"] == [{"by": "bob", "what": "é 👋"}] * 2

    # Tokens that are over are replaced, and those that end are renewed, without the connection's end.
    assert seen["tokens"] == {"late": 2, "stays": 2, "vouched": 2}
    assert seen["chanInfo"] == [{"rank": 1}]
    assert seen["paid"] == [[{"n": 1}, 0, "stays"]]
    assert (seen["visitor"], seen["left"]) == (1, 0)
