"""What `centrifuge-python` does, step by step; gives what it has seen, as channels_steps.js does."""

import asyncio
import contextlib
import functools
import json
from collections.abc import Awaitable, Callable

from centrifuge import (
    Client,
    ClientEventHandler,
    DeltaType,
    StreamPosition,
    Subscription,
    SubscriptionEventHandler,
)
from centrifuge.exceptions import ReplyError
from channels_backend import Backend, token
from websockets.asyncio.client import connect

SECONDS_MAX = 10


class Heard:
    """What has happened so far, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list = []
        self.grown = asyncio.Condition()

    async def add(self, what: object) -> None:
        async with self.grown:
            self.all.append(what)
            self.grown.notify_all()

    async def until(self, what: str, is_there: Callable[[list], bool]) -> list:
        async with self.grown:
            try:
                await asyncio.wait_for(self.grown.wait_for(lambda: is_there(self.all)), SECONDS_MAX)
            except TimeoutError:
                raise AssertionError(f"nothing within {SECONDS_MAX} s: {what}; so far: {self.all}") from None
        return [*self.all]

    async def count(self, many: int) -> list:
        return await self.until(f"{many} of them", lambda seen: len(seen) >= many)


class Codec:
    """With Protobuf the library takes and gives bytes."""

    def __init__(self, *, protobuf: bool) -> None:
        self.protobuf = protobuf

    def pack(self, data: object) -> object:
        return json.dumps(data, ensure_ascii=False).encode() if self.protobuf else data

    def unpack(self, data: object) -> object:
        return json.loads(data) if self.protobuf else data


class SeenByClient(ClientEventHandler):
    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.ended, self.publications, self.subscribed, self.unsubscribed = Heard(), Heard(), Heard(), Heard()
        self.greeted, self.put, self.people = Heard(), Heard(), Heard()

    async def on_connected(self, ctx) -> None:
        await self.greeted.add(ctx.data and self.codec.unpack(ctx.data))

    async def on_join(self, ctx) -> None:
        await self.people.add([ctx.channel, f"join {ctx.info.user}"])

    async def on_leave(self, ctx) -> None:
        await self.people.add([ctx.channel, f"leave {ctx.info.user}"])

    async def on_disconnected(self, ctx) -> None:
        await self.ended.add(ctx.code)

    async def on_publication(self, ctx) -> None:
        await self.publications.add([ctx.channel, self.codec.unpack(ctx.pub.data)])

    async def on_subscribed(self, ctx) -> None:
        await self.subscribed.add([ctx.channel, ctx.was_recovering, ctx.recovered])
        await self.put.add([ctx.channel, ctx.data and self.codec.unpack(ctx.data), ctx.was_recovering, ctx.recovered])

    async def on_unsubscribed(self, ctx) -> None:
        await self.unsubscribed.add(ctx.channel)


class SeenInChannel(SubscriptionEventHandler):
    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.publications, self.people, self.subscribed, self.left = Heard(), Heard(), Heard(), Heard()
        self.tags = Heard()

    async def on_publication(self, ctx) -> None:
        pub = ctx.pub
        await self.tags.add(pub.tags)
        await self.publications.add([self.codec.unpack(pub.data), pub.offset, pub.info.user if pub.info else None])

    async def on_join(self, ctx) -> None:
        await self.people.add(f"join {ctx.info.user}")

    async def on_leave(self, ctx) -> None:
        await self.people.add(f"leave {ctx.info.user}")

    async def on_subscribed(self, ctx) -> None:
        await self.subscribed.add([ctx.recoverable, ctx.positioned, ctx.was_recovering, ctx.recovered])

    async def on_unsubscribed(self, ctx) -> None:
        await self.left.add(ctx.code)


async def code(awaitable: Awaitable) -> int:
    try:
        await awaitable
    except ReplyError as refused:
        return refused.code
    return 0


class Steps:
    """The clients of one run."""

    def __init__(self, backend: Backend, codec: Codec) -> None:
        self.backend, self.codec = backend, codec
        self.clients: list[Client] = []

    def open(self, base: str, sub: str, path: str = "/connection/websocket", **options) -> Client:
        if "token" not in options and "get_token" not in options:
            options["get_token"] = lambda: self.token(sub)
        client = Client(
            base + path,
            events=SeenByClient(self.codec),
            use_protobuf=self.codec.protobuf,
            min_reconnect_delay=0.02,
            max_reconnect_delay=0.1,
            proxy=None,
            **options,
        )
        self.clients.append(client)
        return client

    async def connected(self, sub: str, **options) -> Client:
        client = self.open(self.backend.direct, sub, **options)
        await client.connect()
        await client.ready(SECONDS_MAX)
        return client

    async def follow(self, client: Client, channel: str, **options) -> tuple[Subscription, SeenInChannel]:
        seen = SeenInChannel(self.codec)
        sub = client.new_subscription(channel, events=seen, min_resubscribe_delay=0.02, **options)
        await sub.subscribe()
        return sub, seen

    @staticmethod
    async def token(sub: str, seconds: float = 600, **more: object) -> str:
        return token(sub, seconds, **more)

    @contextlib.asynccontextmanager
    async def plain(self, path: str, sub: str):
        heard = Heard()
        async with connect(f"{self.backend.direct}{path}?token={token(sub)}") as socket:

            async def listen() -> None:
                async for message in socket:
                    await heard.add(json.loads(message))

            listening = asyncio.create_task(listen())
            yield (lambda data: socket.send(json.dumps(data))), heard
            listening.cancel()

    async def run(self) -> dict:
        seen: dict = {}
        try:
            ann, bob = await self.share(seen)
            await self.come_back(seen, ann, bob)
            await self.are_put(seen, bob)
            await self.are_refused(seen, bob)
            await self.is_moved(seen)
            await self.renew(seen)
            seen["ended"]["ann"] = [*ann.events.ended.all]
            await ann.disconnect()
            seen["left"] = (await ann.events.ended.count(1))[0]
        finally:
            for client in self.clients:
                await client.disconnect()
        return seen

    async def share(self, seen: dict) -> tuple[Client, Client]:
        """Two clients and a plain socket in one channel, of which one is cut."""
        pack, unpack = self.codec.pack, self.codec.unpack
        ann = self.open(self.backend.proxy.ws, "ann")
        here, at_ann = await self.follow(ann, "chat:1", recoverable=True, join_leave=True)
        _, at_long = await self.follow(ann, "long:a", recoverable=True, delta=DeltaType.FOSSIL)
        await ann.connect()
        await at_ann.subscribed.count(1)
        await at_long.subscribed.count(1)
        bob = self.open(self.backend.direct, "bob")
        there, at_bob = await self.follow(bob, "chat:1")
        await bob.connect()
        await at_bob.subscribed.count(1)
        async with self.plain("/ws/chat/1", "cleo") as (say, heard):
            await here.publish(pack({"n": 1, "text": "grüße 👋"}))
            await at_ann.publications.count(1)
            await there.publish(pack({"n": 2}))
            await at_ann.publications.count(2)
            await say({"n": 3})
            await at_ann.publications.count(3)
            seen["plain"] = await heard.count(3)
        seen["other"] = await at_bob.publications.count(3)
        history = await here.history(limit=2, reverse=True)
        seen["history"] = [[[unpack(pub.data)["n"], pub.offset] for pub in history.publications], history.offset]
        since = await here.history(limit=-1, since=StreamPosition(offset=1, epoch=history.epoch))
        seen["since"] = [pub.offset for pub in since.publications]
        seen["presence"] = sorted(info.user for info in (await here.presence()).clients.values())
        stats = await here.presence_stats()
        seen["stats"] = {"numClients": stats.num_clients, "numUsers": stats.num_users}
        other = StreamPosition(offset=1, epoch="another")
        seen["errors"] = {"epoch": await code(here.history(limit=1, since=other))}

        async def publish_long(numbers: range) -> None:
            for n in numbers:
                await bob.publish("long:a", pack({"text": "lorem ipsum dolor sit amet " * 20, "n": n}))

        await publish_long(range(1, 4))
        await at_long.publications.count(3)
        self.backend.proxy.cut()
        async with self.plain("/tell/ann", "application") as (say, heard):
            for n in range(4, 41):
                await there.publish(pack({"n": n}))
            await publish_long(range(4, 9))
            await say({"n": 1})
            await heard.count(1)
            self.backend.proxy.mend()
            await at_ann.subscribed.count(2)
            await at_ann.publications.count(40)
            await there.publish(pack({"n": 41}))
            await say({"n": 2})
            await at_long.subscribed.count(2)
            await publish_long(range(9, 10))
            seen["long"] = await at_long.publications.count(9)
            seen["publications"] = await at_ann.publications.count(41)
            seen["inbox"] = await ann.events.publications.count(2)
        seen["inboxes"] = await ann.events.subscribed.count(2)
        await there.unsubscribe()
        seen["people"] = await at_ann.people.until("bob leaves", lambda people: "leave bob" in people)
        seen["subscribed"] = [*at_ann.subscribed.all]
        return ann, bob

    async def come_back(self, seen: dict, ann: Client, bob: Client) -> None:
        """To a channel that keeps the last two of four: one has seen two, and the other says one, and then two."""
        for n in range(1, 5):
            await ann.publish("short:a", self.codec.pack({"n": n}))
        epoch = (await ann.history("short:a")).epoch

        async def state(_: str) -> StreamPosition:
            return StreamPosition(offset=2, epoch=epoch)

        _, kept = await self.follow(ann, "short:a", get_state=state)
        seen["kept"] = [(await kept.subscribed.count(1))[0], await kept.publications.count(2)]
        states = []

        async def another(_: str) -> StreamPosition:
            states.append("asked")
            return StreamPosition(offset=len(states), epoch=epoch)

        _, asked = await self.follow(bob, "short:a", get_state=another)
        seen["asked"] = [await asked.publications.count(2), len(states)]

    async def are_put(self, seen: dict, bob: Client) -> None:
        """Into channels: by the token of a connection, which is cut, and by the application for one without a token."""
        told = {"override": {"force_push_join_leave": {"value": True}}, "data": {"topic": "lamps"}}
        subs = {"chat:2": told, "paid:silver": {"info": {"rank": 3}}}
        dora = self.open(self.backend.proxy.ws, "dora", get_token=lambda: self.token("dora", subs=subs))
        await dora.connect()
        await dora.events.put.count(3)
        there, at_bob = await self.follow(bob, "chat:2")
        await at_bob.subscribed.count(1)
        await there.publish(self.codec.pack({"n": 1}))
        await dora.events.publications.count(1)
        self.backend.proxy.cut()
        await there.publish(self.codec.pack({"n": 2}))
        await there.publish(self.codec.pack({"n": 3}))
        self.backend.proxy.mend()
        await dora.events.put.count(6)
        await there.publish(self.codec.pack({"n": 4}))
        seen["put"] = {
            "publications": await dora.events.publications.count(4),
            "channels": sorted(dora.events.put.all[:3]),
            "again": sorted(dora.events.put.all[3:6]),
        }
        await there.unsubscribe()
        people = await dora.events.people.until("bob leaves", lambda people: ["chat:2", "leave bob"] in people)
        seen["put"]["people"] = [people[0], ["chat:2", "join bob"] in people]

        data = self.codec.pack({"user": "finn"})
        named = {"path": "/connection/named", "token": "", "data": data, "headers": {"x-tenant": "acme"}}
        finn = self.open(self.backend.direct, "", **named)
        await finn.connect()
        await finn.events.put.count(2)
        third, at_third = await self.follow(bob, "chat:3")
        await at_third.subscribed.count(1)
        await third.publish(self.codec.pack({"n": 1}))
        there = (await third.presence()).clients.values()
        seen["named"] = {
            "data": (await finn.events.greeted.count(1))[0],
            "channels": sorted(one[0] for one in finn.events.put.all),
            "publications": await finn.events.publications.count(1),
            "info": [self.codec.unpack(one.conn_info) for one in there if one.user == "finn"][0],
        }

    async def are_refused(self, seen: dict, bob: Client) -> None:
        seen["refused"] = {}
        for channel in ("other:1", "chat:x", "paid:gold"):
            _, refused = await self.follow(bob, channel)
            seen["refused"][channel] = (await refused.left.count(1))[0]
        news, at_news = await self.follow(bob, "news:a")
        await at_news.subscribed.count(1)
        seen["errors"] |= {
            "publish": await code(news.publish(self.codec.pack(1))),
            "presence": await code(news.presence()),
            "history": await code(news.history(limit=1)),
        }
        seen["called"] = self.codec.unpack((await bob.rpc("add", self.codec.pack({"a": 1}))).data)

        tagged, at_tagged = await self.follow(bob, "tagged:a")
        await at_tagged.subscribed.count(1)
        await tagged.publish(self.codec.pack({"n": 1}))
        await at_tagged.tags.count(1)
        kept = (await tagged.history(limit=1)).publications[0]
        seen["tags"] = [at_tagged.tags.all[0], kept.tags]

    async def is_moved(self, seen: dict) -> None:
        """The application puts a client into a channel, takes it out again, and sends it away."""
        order = functools.partial(asyncio.to_thread, self.backend.order)
        moved = (await self.connected("moved")).events
        await moved.subscribed.count(1)
        await order("subscribe", {"user": "moved", "channel": "chat:9"})
        await moved.subscribed.count(2)
        await order("publish", {"channel": "chat:9", "data": {"n": 1}})
        await order("broadcast", {"channels": ["chat:9"], "data": {"n": 2}})
        await moved.publications.count(2)
        await order("unsubscribe", {"user": "moved", "channel": "chat:9"})
        await moved.unsubscribed.count(1)
        await order("disconnect", {"user": "moved", "disconnect": {"code": 4500, "reason": "enough"}})
        seen["moved"] = {
            "subscribed": moved.subscribed.all,
            "publications": moved.publications.all,
            "unsubscribed": moved.unsubscribed.all,
            "ended": (await moved.ended.count(1))[0],
        }

    async def renew(self, seen: dict) -> None:
        """Tokens of connections and of channels: bad ones, those that are over, and those that are renewed."""
        bad = self.open(self.backend.direct, "ann", token="x.y.z")
        await bad.connect()
        late, renewed, vouched = Heard(), Heard(), Heard()

        async def of_late() -> str:
            await late.add("asked")
            return token("late", -60 if len(late.all) == 1 else 600)

        await self.connected("late", get_token=of_late)

        async def of_stays() -> str:
            await renewed.add("asked")
            return token("stays", 3 if len(renewed.all) == 1 else 600)

        async def of_paid(channel: str) -> str:
            await vouched.add("asked")
            return token("stays", 3 if len(vouched.all) == 1 else 600, channel=channel, info={"rank": 1})

        async def foreign_token(channel: str) -> str:
            return token("ann", channel=channel)

        stays = await self.connected("stays", get_token=of_stays)
        paid, at_paid = await self.follow(stays, "paid:gold", get_token=of_paid)
        await at_paid.subscribed.count(1)
        there = (await paid.presence()).clients.values()
        seen["chanInfo"] = [self.codec.unpack(info.chan_info) for info in there]
        foreign = self.open(self.backend.direct, "eve")
        await self.follow(foreign, "paid:gold", get_token=foreign_token)
        await foreign.connect()
        visitor = self.open(self.backend.direct, "", path="/connection/visitors", token="")
        _, at_news = await self.follow(visitor, "news:a")
        await visitor.connect()
        seen["visitor"] = len(await at_news.subscribed.count(1))
        seen["errors"]["rpc"] = await code(visitor.rpc("add", self.codec.pack({})))
        await renewed.count(2)
        await vouched.count(2)
        await paid.publish(self.codec.pack({"n": 1}))
        seen["paid"] = await at_paid.publications.count(1)
        seen["tokens"] = {"late": len(late.all), "stays": len(renewed.all), "vouched": len(vouched.all)}
        seen["ended"] = {
            "bad": (await bad.events.ended.count(1))[0],
            "foreign": (await foreign.events.ended.count(1))[0],
            "stays": [*stays.events.ended.all],
        }


async def steps(backend: Backend, *, protobuf: bool) -> dict:
    return await Steps(backend, Codec(protobuf=protobuf)).run()
