// Two channels that the page names, and one that the server puts everybody into.
const at = (id) => document.getElementById(id);
const { address } = await (await fetch("/config.json")).json();

at("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const login = new URLSearchParams(new FormData(event.target));
  connect(login);
});

function connect(login) {
  // Asked for when the page connects, and again before each token ends: the connection stays open meanwhile.
  async function getToken() {
    const answer = await fetch("/token", { method: "POST", body: login });
    // Not to be tried again by itself; any other fault is.
    if (answer.status === 401) throw new Centrifuge.UnauthorizedError("wrong name or password");
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    return (await answer.json()).access_token;
  }

  const client = new Centrifuge(address, { getToken });
  client.on("connecting", () => (at("state").textContent = "connecting"));
  client.on("connected", () => {
    at("state").textContent = `connected as ${login.get("username")}`;
    at("login").hidden = true;
    document.querySelector("main").hidden = false;
  });
  client.on("disconnected", ({ code, reason }) => {
    at("state").textContent = `${reason} (${code})`;
    at("login").hidden = false;
  });

  // The inbox: a subscription of the server, so nobody has to name it.
  client.on("subscribed", ({ recovered }) => recovered || at("inbox").replaceChildren());
  client.on("publication", (publication) => show("inbox", publication));

  // News: what was said before, then what comes. After a lost connection the SDK gets what was missed by itself.
  const news = client.newSubscription("news", { recoverable: true });
  news.on("subscribed", (context) => !context.recovered && showHistory("news", news));
  news.on("publication", (publication) => show("news", publication));
  news.subscribe();

  // Chat: the same, and who is there.
  const chat = client.newSubscription("chat:5");
  const people = new Map();
  chat.on("subscribed", async (context) => {
    if (!context.recovered) showHistory("chat", chat);
    const { clients } = await chat.presence();
    people.clear();
    for (const info of Object.values(clients)) people.set(info.client, info.user);
    showPeople(people);
  });
  chat.on("join", ({ info }) => showPeople(people.set(info.client, info.user)));
  chat.on("leave", ({ info }) => showPeople((people.delete(info.client), people)));
  chat.on("publication", (publication) => show("chat", publication));
  // A refused subscription says why: 103 for somebody who is no member of the room.
  chat.on("unsubscribed", ({ code, reason }) => (at("count").textContent = `not let in (${code} ${reason}): nobody`));
  chat.subscribe();

  at("say").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { text } = event.target.elements;
    await chat.publish({ text: text.value });
    text.value = "";
  });

  client.connect();
}

// What stands there is shown anew: if the server has lost the channel's history, its offsets begin anew as well.
async function showHistory(id, subscription) {
  at(id).replaceChildren();
  const { publications } = await subscription.history({ limit: 20, reverse: true });
  for (const publication of publications) show(id, publication);
}

// Newest first. What comes while the history is read comes once: the offset says which it is.
function show(id, { offset, data, info }) {
  const list = at(id);
  const rows = [...list.children];
  if (offset && rows.some((row) => Number(row.dataset.offset) === offset)) return;
  const row = document.createElement("li");
  row.dataset.offset = offset ?? 0;
  const author = document.createElement("b");
  author.textContent = info ? `${info.user} ` : "";
  row.append(author, data.text ?? JSON.stringify(data));
  list.insertBefore(row, rows.find((other) => Number(other.dataset.offset) < (offset ?? Infinity)) ?? null);
}

function showPeople(people) {
  at("count").textContent = people.size;
  at("people").replaceChildren(
    ...[...people.values()].sort().map((user) => Object.assign(document.createElement("li"), { textContent: user })),
  );
}
