"""One server for all tests; a test that needs another state starts its own with `start_server`."""

import pathlib
from collections.abc import Iterator

import pytest
from server import PROGRAM, Server, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    assert PROGRAM.is_file(), f"{PROGRAM} is missing: run cargo build"
    with start_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def program() -> pathlib.Path:
    return PROGRAM
