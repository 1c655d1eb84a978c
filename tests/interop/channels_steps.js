// What a client library does, step by step, in Node and in a page alike; gives what it has seen.
//
// Nothing is judged here: test_channels.py does that, for every library and encoding by the same words.

const WITHIN_MS = 10_000;

/** What has happened so far, and a way to wait for more. */
class Heard {
  all = [];
  #wake = () => {};

  add(what) {
    this.all.push(what);
    this.#wake();
  }

  async until(what, isThere) {
    const deadline = Date.now() + WITHIN_MS;
    while (!isThere(this.all)) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`nothing within ${WITHIN_MS} ms: ${what}; so far: ${JSON.stringify(this.all)}`);
      await new Promise((done) => {
        const timer = setTimeout(done, left);
        this.#wake = () => (clearTimeout(timer), done());
      });
    }
    return [...this.all];
  }

  count(many) {
    return this.until(`${many} of them`, (all) => all.length >= many);
  }
}

export async function steps({ Centrifuge, websocket, eventsource, transport, protobuf, direct, proxied, backend }) {
  const pack = (data) => (protobuf ? new TextEncoder().encode(JSON.stringify(data)) : data);
  const unpack = (data) => (protobuf ? JSON.parse(new TextDecoder().decode(data)) : data);
  const ask = async (path, method = "GET") => (await fetch(`${backend}${path}`, { method })).text();
  const order = (method, request) =>
    fetch(`${backend}/api/${method}`, { method: "POST", body: JSON.stringify(request) });
  const token = (query) => ask(`/token?${new URLSearchParams(query)}`);
  // A library that finds `long` installed gives offsets as its numbers.
  const number = (offset) => Number(String(offset ?? 0));
  const code = (promise) => promise.then(() => 0, (error) => error.code);
  const clients = [];
  const ways = new Set();

  /** Where a client connects, and what it needs for that: at one address, or at a list that it tries in order. */
  function way(base, path) {
    if (transport === "websocket") return [`${base}${path}`, { ...(websocket && { websocket }) }];
    // A browser opens six connections to one host at most, and each of these keeps one for itself.
    const host = websocket ? base : base.replace("127.0.0.1", `client-${clients.length}.localhost`);
    const http = host.replace("ws://", "http://");
    const options = { emulationEndpoint: `${http}/emulation`, ...(websocket && { websocket, eventsource }) };
    const at = (name) => ({ transport: name, endpoint: `${http}${path.replace("/websocket", "")}/${name}` });
    if (transport !== "blocked") return [[at(transport)], options];
    return [[{ transport: "websocket", endpoint: `${base}/nothing/is/here` }, at("http_stream")], options];
  }

  function open(base, sub, options = {}, path = "/connection/websocket") {
    const [address, needed] = way(base, path);
    const settings = { minReconnectDelay: 20, maxReconnectDelay: 100, getToken: () => token({ sub }), ...options };
    const client = new Centrifuge(address, { ...settings, ...needed });
    client.on("connected", ({ transport: name }) => ways.add(name));
    const ended = new Heard();
    client.on("disconnected", (context) => ended.add(context.code));
    clients.push(client);
    return Object.assign(client, { ended });
  }

  function follow(client, channel, options = {}) {
    const sub = client.newSubscription(channel, { minResubscribeDelay: 20, ...options });
    const seen = { publications: new Heard(), people: new Heard(), subscribed: new Heard(), left: new Heard() };
    sub.on("publication", ({ data, offset, info }) =>
      seen.publications.add([unpack(data), number(offset), info?.user ?? null]));
    sub.on("join", ({ info }) => seen.people.add(`join ${info.user}`));
    sub.on("leave", ({ info }) => seen.people.add(`leave ${info.user}`));
    sub.on("subscribed", ({ recoverable, positioned, wasRecovering, recovered }) =>
      seen.subscribed.add([recoverable, positioned, wasRecovering, recovered]));
    sub.on("unsubscribed", (context) => seen.left.add(context.code));
    sub.subscribe();
    return Object.assign(sub, seen);
  }

  async function connected(sub, options) {
    const client = open(direct, sub, options);
    client.connect();
    await client.ready(WITHIN_MS);
    return client;
  }

  async function plain(path, sub) {
    const socket = new (websocket ?? WebSocket)(`${direct}${path}?token=${await token({ sub })}`);
    const heard = new Heard();
    socket.onmessage = ({ data }) => heard.add(JSON.parse(data));
    await new Promise((done, fail) => ((socket.onopen = done), (socket.onerror = fail)));
    return { heard, say: (data) => socket.send(JSON.stringify(data)), close: () => socket.close() };
  }

  const seen = {};

  // Two clients and a plain socket in one channel.
  const ann = open(proxied, "ann");
  const inbox = new Heard();
  ann.on("publication", ({ channel, data }) => inbox.add([channel, unpack(data)]));
  const inboxes = new Heard();
  ann.on("subscribed", ({ channel, wasRecovering, recovered }) => inboxes.add([channel, wasRecovering, recovered]));
  const here = follow(ann, "chat:1", { recoverable: true, joinLeave: true });
  const long = follow(ann, "long:a", { recoverable: true, delta: "fossil" });
  const text = (n) => pack({ text: "lorem ipsum dolor sit amet ".repeat(20), n });
  ann.connect();
  await Promise.all([here.subscribed.count(1), long.subscribed.count(1)]);
  const bob = open(direct, "bob");
  const there = follow(bob, "chat:1");
  bob.connect();
  await there.subscribed.count(1);
  const cleo = await plain("/ws/chat/1", "cleo");
  await here.publish(pack({ n: 1, text: "grüße 👋" }));
  await here.publications.count(1);
  await there.publish(pack({ n: 2 }));
  await here.publications.count(2);
  cleo.say({ n: 3 });
  await here.publications.count(3);
  seen.plain = await cleo.heard.count(3);
  seen.other = await there.publications.count(3);
  const history = await here.history({ limit: 2, reverse: true });
  seen.history = [history.publications.map(({ data, offset }) => [unpack(data).n, number(offset)]), number(history.offset)];
  const since = await here.history({ limit: -1, since: { offset: 1, epoch: history.epoch } });
  seen.since = since.publications.map(({ offset }) => number(offset));
  const presence = await here.presence();
  seen.presence = Object.values(presence.clients).map(({ user }) => user).sort();
  seen.stats = await here.presenceStats();

  for (let n = 1; n <= 3; n++) await bob.publish("long:a", text(n));
  await long.publications.count(3);

  // The connection is cut, and much is said meanwhile.
  await ask("/cut", "POST");
  const application = await plain("/tell/ann", "application");
  for (let n = 4; n <= 40; n++) await there.publish(pack({ n }));
  for (let n = 4; n <= 8; n++) await bob.publish("long:a", text(n));
  application.say({ n: 1 });
  await application.heard.count(1);
  await ask("/mend", "POST");
  await here.subscribed.count(2);
  await here.publications.count(40);
  await there.publish(pack({ n: 41 }));
  application.say({ n: 2 });
  await long.subscribed.count(2);
  await bob.publish("long:a", text(9));
  seen.long = await long.publications.count(9);
  seen.deltas = long.deltaStats().numDeltaPayloads;
  seen.publications = await here.publications.count(41);
  seen.inbox = await inbox.count(2);
  seen.inboxes = await inboxes.count(2);
  there.unsubscribe();
  await here.people.until("bob leaves", (all) => all.includes("leave bob"));
  seen.people = [...here.people.all];
  seen.subscribed = [...here.subscribed.all];

  // Two come back to a channel that keeps the last two of four: one has seen two, and the other one.
  for (let n = 1; n <= 4; n++) await ann.publish("short:a", pack({ n }));
  const { epoch } = await ann.history("short:a", {});
  const kept = follow(ann, "short:a", { since: { offset: 2, epoch } });
  const lost = follow(bob, "short:a", { since: { offset: 1, epoch } });
  seen.kept = [(await kept.subscribed.count(1))[0], await kept.publications.count(2)];
  const states = new Heard();
  const asked = follow(await connected("cleo"), "short:a", {
    getState: async () => (states.add("asked"), { offset: states.all.length, epoch }),
  });
  seen.asked = [await asked.publications.count(2), states.all.length];
  seen.lost = [(await lost.subscribed.count(1))[0], [...lost.publications.all]];

  // A token puts its bearer into channels, also after a cut; and so does the application where there is no token.
  // With Protobuf the library gives no bytes for what is not there.
  const has = (data) => data !== undefined && data !== null && data.length !== 0;
  const put = (client) => {
    const heard = { channels: new Heard(), publications: new Heard(), people: new Heard() };
    client.on("subscribed", ({ channel, data, wasRecovering, recovered }) =>
      heard.channels.add([channel, has(data) ? unpack(data) : null, wasRecovering, recovered]));
    client.on("publication", ({ channel, data }) => heard.publications.add([channel, unpack(data)]));
    client.on("join", ({ channel, info }) => heard.people.add([channel, `join ${info.user}`]));
    client.on("leave", ({ channel, info }) => heard.people.add([channel, `leave ${info.user}`]));
    client.connect();
    return heard;
  };
  const told = { override: { force_push_join_leave: { value: true } }, data: { topic: "lamps" } };
  const subs = JSON.stringify({ "chat:2": told, "paid:silver": { info: { rank: 3 } } });
  const dora = put(open(proxied, "dora", { getToken: () => token({ sub: "dora", subs }) }));
  await dora.channels.count(3);
  const other = follow(bob, "chat:2");
  await other.subscribed.count(1);
  await other.publish(pack({ n: 1 }));
  await dora.publications.count(1);
  await ask("/cut", "POST");
  await other.publish(pack({ n: 2 }));
  await other.publish(pack({ n: 3 }));
  await ask("/mend", "POST");
  await dora.channels.count(6);
  await other.publish(pack({ n: 4 }));
  seen.put = {
    publications: await dora.publications.count(4),
    channels: dora.channels.all.slice(0, 3).sort(),
    again: dora.channels.all.slice(3, 6).sort(),
  };
  other.unsubscribe();
  const isBob = (what) => ([channel, said]) => channel === "chat:2" && said === `${what} bob`;
  await dora.people.until("bob leaves", (all) => all.some(isBob("leave")));
  seen.put.people = [dora.people.all[0], dora.people.all.some(isBob("join"))];

  const without = { getToken: null, data: pack({ user: "finn" }), headers: { "x-tenant": "acme" } };
  const finn = open(direct, "", without, "/connection/named");
  const greeted = new Heard();
  let name = "";
  finn.on("connected", ({ client, data }) => ((name = client), greeted.add(unpack(data))));
  const finns = put(finn);
  await finns.channels.count(2);
  const third = follow(bob, "chat:3");
  await third.subscribed.count(1);
  await third.publish(pack({ n: 1 }));
  seen.named = {
    data: (await greeted.count(1))[0],
    channels: finns.channels.all.map(([channel]) => channel).sort(),
    publications: await finns.publications.count(1),
    info: unpack((await third.presence()).clients[name].connInfo),
  };

  // What is refused.
  seen.refused = {};
  for (const [channel, options] of [["other:1", {}], ["chat:x", {}], ["paid:gold", {}]]) {
    seen.refused[channel] = (await follow(bob, channel, options).left.count(1))[0];
  }
  const news = follow(bob, "news:a");
  await news.subscribed.count(1);
  seen.errors = {
    publish: await code(news.publish(pack(1))),
    presence: await code(news.presence()),
    history: await code(news.history({ limit: 1 })),
    epoch: await code(here.history({ limit: 1, since: { offset: 1, epoch: "another" } })),
  };
  seen.called = unpack((await bob.rpc("add", pack({ a: 1 }))).data);

  // The application puts a client into a channel, takes it out again, and sends it away.
  const moved = open(direct, "moved");
  const [entered, published, left] = [new Heard(), new Heard(), new Heard()];
  moved.on("subscribed", ({ channel, wasRecovering, recovered }) => entered.add([channel, wasRecovering, recovered]));
  moved.on("publication", ({ channel, data }) => published.add([channel, unpack(data)]));
  moved.on("unsubscribed", ({ channel }) => left.add(channel));
  moved.connect();
  await entered.count(1);
  await order("subscribe", { user: "moved", channel: "chat:9" });
  await entered.count(2);
  await order("publish", { channel: "chat:9", data: { n: 1 } });
  await order("broadcast", { channels: ["chat:9"], data: { n: 2 } });
  await published.count(2);
  await order("unsubscribe", { user: "moved", channel: "chat:9" });
  await left.count(1);
  await order("disconnect", { user: "moved", disconnect: { code: 4500, reason: "enough" } });
  const [ended] = await moved.ended.count(1);
  seen.moved = { subscribed: entered.all, publications: published.all, unsubscribed: left.all, ended };

  // The application puts labels on what is said.
  const tagged = bob.newSubscription("tagged:a");
  const tags = new Heard();
  tagged.on("publication", (publication) => tags.add(publication.tags));
  tagged.subscribe();
  await tagged.ready(WITHIN_MS);
  await tagged.publish(pack({ n: 1 }));
  seen.tags = [(await tags.count(1))[0], (await tagged.history({ limit: 1 })).publications[0].tags];

  // Tokens of connections: one that is bad, one that is over and is replaced, and one that is renewed while it lasts.
  const bad = open(direct, "ann", { getToken: null, token: "x.y.z" });
  bad.connect();
  const sender = await connected("ann");
  await sender.send(pack({}));
  const late = { asked: 0 };
  await connected("late", { getToken: () => token({ sub: "late", seconds: late.asked++ === 0 ? -60 : 600 }) });
  const renewed = new Heard();
  const stays = open(direct, "stays", {
    getToken: () => (renewed.add("asked"), token({ sub: "stays", seconds: renewed.all.length === 1 ? 3 : 600 })),
  });
  stays.connect();

  // Tokens of channels.
  const vouched = new Heard();
  const paid = follow(stays, "paid:gold", {
    getToken: ({ channel }) => {
      vouched.add("asked");
      return token({ sub: "stays", channel, seconds: vouched.all.length === 1 ? 3 : 600, info: '{"rank":1}' });
    },
  });
  await paid.subscribed.count(1);
  seen.chanInfo = Object.values((await paid.presence()).clients).map(({ chanInfo }) => unpack(chanInfo));
  const foreign = open(direct, "eve");
  follow(foreign, "paid:gold", { getToken: ({ channel }) => token({ sub: "ann", channel }) });
  foreign.connect();
  const visitor = open(direct, "", { getToken: null }, "/connection/visitors");
  const open_to_all = follow(visitor, "news:a");
  visitor.connect();
  await open_to_all.subscribed.count(1);
  seen.errors.rpc = await code(visitor.rpc("add", pack({})));
  seen.visitor = open_to_all.subscribed.all.length;
  await Promise.all([renewed.count(2), vouched.count(2)]);
  await paid.publish(pack({ n: 1 }));
  seen.paid = await paid.publications.count(1);
  seen.tokens = { late: late.asked, stays: renewed.all.length, vouched: vouched.all.length };
  seen.ended = {
    bad: (await bad.ended.count(1))[0],
    send: (await sender.ended.count(1))[0],
    foreign: (await foreign.ended.count(1))[0],
    stays: [...stays.ended.all],
    ann: [...ann.ended.all],
  };

  clients.forEach((client) => client.disconnect());
  [cleo, application].forEach((socket) => socket.close());
  seen.left = (await ann.ended.count(1))[0];
  seen.ways = [...ways];
  return seen;
}
