"""The command lines that users copy, run as they are written, and the program's own terminal client."""

import json
import pathlib
import subprocess

from server import Server

SECONDS_MAX = 20

LOGIN = """\
curl -X POST "http://localhost:8000/token" \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "username=user&password=password"
"""

TEST_TOKEN = 'curl "http://localhost:8000/test-token"'

SEND_WITH_TEST_TOKEN = """\
TOKEN=$(curl -s "http://localhost:8000/test-token" | jq -r '.test_token')
echo '{"type":"test","payload":{"message":"Hello"}}' | websocat "ws://localhost:8000/ws?token=$TOKEN"
"""

LOGIN_AND_SEND = """\
# Store the token in a variable
TOKEN=$(curl -s -X POST "http://localhost:8000/token" \\
  -H "Content-Type: application/x-www-form-urlencoded" \\
  -d "username=user&password=password" | jq -r '.access_token')

# Connect with the token
echo '{"type":"test","payload":{"message":"Hello"}}' | websocat "ws://localhost:8000/ws?token=$TOKEN"
"""


def run(server: Server, lines: str) -> str:
    """What a shell prints for these lines, with only the address of the server put in their place."""
    script = "set -euo pipefail\n" + lines.replace("localhost:8000", server.address)
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=SECONDS_MAX)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def assert_is_hello(printed: str) -> None:
    lines = printed.splitlines()
    assert len(lines) == 1, lines
    message = json.loads(lines[0])
    assert (message["type"], message["payload"], message["user"]) == ("test", {"message": "Hello"}, "user")
    assert {"timestamp", "requestId"} <= message.keys()


def test_curl_logs_in(server: Server) -> None:
    answer = json.loads(run(server, LOGIN))
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 1800)


def test_curl_gets_the_test_token(server: Server) -> None:
    assert "testing" in json.loads(run(server, TEST_TOKEN))["note"]


def test_websocat_sends_with_the_test_token_and_prints_the_answer(server: Server) -> None:
    assert_is_hello(run(server, SEND_WITH_TEST_TOKEN))


def test_websocat_sends_with_a_login_and_prints_the_answer(server: Server) -> None:
    assert_is_hello(run(server, LOGIN_AND_SEND))


def connect(program: pathlib.Path, server: Server, *options: str, stdin: str) -> subprocess.CompletedProcess:
    command = [program, "connect", f"{server.ws}/ws", *options]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=SECONDS_MAX)


def test_connect_sends_what_is_piped_and_prints_what_comes_back(server: Server, program: pathlib.Path) -> None:
    ended = connect(program, server, "--token", server.login(), stdin='{"n":1}\n{"n":2}\n')
    assert ended.returncode == 0, ended.stderr
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [(message["n"], message["user"]) for message in messages] == [(1, "user"), (2, "user")]


def test_connect_logs_in_and_sends_what_follows_the_password(server: Server, program: pathlib.Path) -> None:
    ended = connect(program, server, "--user", "user", "--password-stdin", stdin='password\n{"n":1}\n')
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line)["n"] for line in ended.stdout.splitlines()] == [1]


def test_connect_says_that_the_login_failed(server: Server, program: pathlib.Path) -> None:
    ended = connect(program, server, "--user", "user", "--password-stdin", stdin='wrong\n{"n":1}\n')
    assert (ended.returncode, ended.stdout) == (5, "")


def test_connect_says_why_it_was_refused(server: Server, program: pathlib.Path) -> None:
    ended = connect(program, server, "--token", "abc", stdin='{"n":1}\n')
    assert ended.returncode == 3
    assert "1008" in ended.stderr and "Invalid or expired token" in ended.stderr
    assert ended.stdout == ""
