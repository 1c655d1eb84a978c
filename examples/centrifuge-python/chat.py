"""A chat room from a terminal: who is there, what was said, what comes, and what you type.

    python chat.py alice chat:5
"""

import argparse
import asyncio
import getpass
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

from centrifuge import CentrifugeError, Client, ClientEventHandler, SubscriptionEventHandler, UnauthorizedError

LYCHGATE = os.environ.get("LYCHGATE", "http://127.0.0.1:8000")


def login(name: str, password: str) -> str:
    """Gets a token, as any program would."""
    form = urllib.parse.urlencode({"username": name, "password": password}).encode()
    try:
        with urllib.request.urlopen(f"{LYCHGATE}/token", form, timeout=10) as answer:
            return json.load(answer)["access_token"]
    except urllib.error.HTTPError as fault:
        if fault.code == 401:
            # Not to be tried again by itself.
            raise UnauthorizedError from fault
        raise


class Connection(ClientEventHandler):
    async def on_connected(self, ctx):
        print(f"connected as {ctx.client}", flush=True)

    async def on_disconnected(self, ctx):
        print(f"disconnected: {ctx.code} {ctx.reason}", flush=True)

    async def on_publication(self, ctx):
        # The inbox, which the server puts every connection into.
        print(f"[{ctx.channel}] {ctx.pub.data}", flush=True)


class Room(SubscriptionEventHandler):
    async def on_publication(self, ctx):
        author = ctx.pub.info.user if ctx.pub.info else "the application"
        print(f"{ctx.pub.offset} {author}: {ctx.pub.data}", flush=True)

    async def on_join(self, ctx):
        print(f"{ctx.info.user} has come", flush=True)

    async def on_leave(self, ctx):
        print(f"{ctx.info.user} has gone", flush=True)

    async def on_unsubscribed(self, ctx):
        print(f"not in the room: {ctx.code} {ctx.reason}", flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("channel", nargs="?", default="chat:5")
    arguments = parser.parse_args()
    password = os.environ.get("PASSWORD") or getpass.getpass()

    async def get_token() -> str:
        # Asked for at the start and again before each token ends.
        return await asyncio.to_thread(login, arguments.name, password)

    address = LYCHGATE.replace("http", "ws", 1) + "/connection/websocket"
    client = Client(address, events=Connection(), get_token=get_token)
    room = client.new_subscription(arguments.channel, events=Room())
    await client.connect()
    await room.subscribe()
    try:
        await room.ready()
    except CentrifugeError as fault:
        raise SystemExit(f"not let in: {fault}") from None

    people = await room.presence()
    print("here:", ", ".join(sorted(info.user for info in people.clients.values())), flush=True)
    said = await room.history(limit=10, reverse=True)
    for publication in reversed(said.publications):
        print(f"{publication.offset} {publication.data}", flush=True)

    while line := await asyncio.to_thread(sys.stdin.readline):
        if text := line.strip():
            await room.publish({"text": text})
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
