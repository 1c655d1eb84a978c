//! `publish`, `channels`, `presence` and `history`, against the real server and against answers of the test's own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::connect::{Server, answer_http};
use crate::support::{Place, Ran, SECRET};

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
operations_listen = "127.0.0.1:0"
drain_not_ready = "0s"
drain_spread = "0s"

[log]
format = "json"

[database]
url = "sqlite:channels.db"

[tokens]
signing = "hs256"
secret_env = "CHANNELS_SECRET"

[api]
enabled = true

[endpoint.realtime]
path = "/connection/websocket"
kind = "channels"

[namespace.news]
channel = "news"
presence = "nobody"
history_size = 100
policy = { rule = "any" }

[namespace.plain]
channel = "plain"
policy = { rule = "any" }
"#;

/// A server with a key for it in `key`, in a place of its own. It is killed when this goes.
struct World {
    place: Place,
    child: Child,
    api: String,
}

impl World {
    fn begin() -> Self {
        let place = Place::with(&[("lychgate.toml", CONFIG)]);
        let scopes = ["--scope", "channels:publish", "--scope", "channels:read"];
        let key = place.run(&[&["apikey", "create", "shop"][..], &scopes].concat()).expect(0).out;
        std::fs::write(place.path.join("key"), key).unwrap();
        let mut child = place.command(&["serve"]).env("CHANNELS_SECRET", SECRET).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
            (line["message"] == "listening").then(|| line["address"].as_str().unwrap().to_owned())
        });
        // Somebody has to go on reading, or the server would wait to write its log.
        std::thread::spawn(move || lines.for_each(drop));
        let api = format!("http://{}/api", address.unwrap());
        Self { place, child, api }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let server = ["--api", &self.api, "--key-file", "key"];
        self.place.run(&[arguments, &server].concat())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_published_is_in_the_history() {
    let world = World::begin();
    let said = world.run(&["publish", "news", r#"{"text":"one"}"#]).expect(0);
    assert!(said.out.starts_with("Published in news at 1, epoch ") && said.err.is_empty(), "{}", said.out);
    let epoch = said.out.trim_end().trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
    let arguments = ["publish", "news", "-", "--json", "--api", &world.api, "--key-file", "key"];
    let said = world.place.feed("{\"z\": 1.50,\n\"a\":[]}\n", &arguments).expect(0);
    assert_eq!(lines(&said), [json!({ "channel": "news", "offset": 2, "epoch": epoch })]);
    let once = ["publish", "news", "3", "--idempotency-key", "three"];
    assert_eq!(world.run(&once).expect(0).out, world.run(&once).expect(0).out);
    world.run(&["publish", "news", "\"aside\"", "--skip-history"]).expect(0);
    assert_eq!(world.run(&["publish", "plain", "null"]).expect(0).out, "Published in plain, and not kept.\n");

    let ran = world.run(&["history", "news"]).expect(0);
    assert_eq!(
        ran.out,
        "OFFSET  USER  DATA                 TAGS\n1       -     {\"text\":\"one\"}       -\n2       -     {\"z\": 1.50, \"a\":[]}  -\n3       -     3                    -\n"
    );
    assert_eq!(ran.err, format!("news stands at 3, epoch {epoch}.\n"));
    let ran = world.run(&["history", "news", "--json"]).expect(0);
    assert!(ran.out.contains("{\"z\": 1.50, \"a\":[]}") && ran.err.is_empty(), "to the digit: {}", ran.out);
    let offsets = |more: &[&str]| -> Vec<Value> {
        let ran = world.run(&[&["history", "news", "--json"], more].concat()).expect(0);
        lines(&ran).iter().map(|kept| kept["offset"].clone()).collect()
    };
    assert_eq!(offsets(&["--limit", "2"]), [2, 3], "the newest, and the older one first");
    assert_eq!(offsets(&["--since", "1"]), [2, 3]);
    assert_eq!(offsets(&["--since", "0", "--limit", "1"]), [1]);
    assert_eq!(offsets(&["--since", "2", "--epoch", &epoch]), [3]);
    let ran = world.run(&["history", "news", "--since", "2", "--epoch", "other"]).expect(1);
    assert_eq!(ran.err, "lychgate: the position is from another epoch (error 112)\n");
}

#[test]
fn who_is_there_is_a_table_or_lines() {
    let answers = |body: Value| {
        Server::run(move |listener| async move {
            let (stream, _) = listener.accept().await.unwrap();
            answer_http(stream, "200 OK", "content-type: application/json\r\n", &body.to_string()).await
        })
    };
    let run = |body: Value, arguments: &[&str]| {
        let server = answers(body);
        let api = format!("http://{}/v1/api/", server.address);
        let environment = BTreeMap::from([("LYCHGATE_API", api.as_str()), ("LYCHGATE_API_KEY", "lgk_SENTINEL")]);
        let ran = Place::new().run_in(&environment, arguments).expect(0);
        assert!(!ran.says("SENTINEL"), "{}{}", ran.out, ran.err);
        (ran.out, server.result())
    };
    let present = json!({ "result": { "presence": {
        "c2": { "user": "bob", "client": "c2", "conn_info": { "name": "B\u{1b}[2J" } },
        "c1": { "user": "bob", "client": "c1" },
        "c3": { "user": "", "client": "c3", "chan_info": 7 },
    } } });
    let (out, request) = run(present.clone(), &["presence", "chat:5"]);
    assert!(request.starts_with("POST /v1/api/presence HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer lgk_SENTINEL\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"channel\":\"chat:5\"}"), "{request}");
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["USER", "CLIENT", "CONNECTION", "CHANNEL"]);
    assert_eq!((&rows[1][..], &rows[2][..]), (&["-", "c3", "-", "7"][..], &["bob", "c1", "-", "-"][..]));
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let (out, _) = run(present, &["presence", "chat:5", "--json"]);
    assert_eq!(out.lines().count(), 3, "{out}");

    let stats = json!({ "result": { "num_clients": 1, "num_users": 2 } });
    assert_eq!(run(stats.clone(), &["presence", "x", "--stats"]).0, "1 client of 2 users\n");
    assert_eq!(run(stats, &["presence", "x", "--stats", "--json"]).0, "{\"num_clients\":1,\"num_users\":2}\n");

    let heard = json!({ "result": { "channels": { "news": { "num_clients": 12 }, "chat:5": { "num_clients": 1 } } } });
    let (out, request) = run(heard.clone(), &["channels", "--pattern", "c*"]);
    assert_eq!(out, "CHANNEL  CLIENTS\nchat:5   1\nnews     12\n");
    assert!(request.ends_with("{\"pattern\":\"c*\"}"), "{request}");
    let (out, _) = run(heard, &["channels", "--json"]);
    assert_eq!(out, "{\"channel\":\"chat:5\",\"num_clients\":1}\n{\"channel\":\"news\",\"num_clients\":12}\n");
}

#[test]
fn the_server_says_why_something_is_not_done() {
    let world = World::begin();
    for (arguments, code, said) in [
        (&["publish", "none", "1"][..], 1, "there is no namespace for this channel (error 102)"),
        (&["presence", "plain"], 1, "the namespace does not keep this (error 108)"),
        (&["history", "plain"], 1, "(error 108)"),
        (&["publish", "news", "hello"], 2, "A text needs its quotes: '\"hello\"'"),
        (&["publish", "news", ""], 2, "the payload is not JSON"),
        (&["history", "news", "--limit", "0"], 2, "--limit"),
        (&["history", "news", "--epoch", "x"], 2, "--since"),
    ] {
        let ran = world.run(arguments).expect(code);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{arguments:?}: {}{}", ran.out, ran.err);
    }
    world.place.run(&["apikey", "revoke", "shop"]).expect(0);
    let ran = world.run(&["channels"]).expect(1);
    assert_eq!(ran.err, "lychgate: The API key is not accepted. (401 Unauthorized)\n");
    let key = world.place.run(&["apikey", "create", "reader", "--scope", "channels:read"]).expect(0).out;
    std::fs::write(world.place.path.join("key"), key).unwrap();
    world.run(&["channels"]).expect(0);
    let ran = world.run(&["publish", "news", "1"]).expect(1);
    assert!(ran.err.contains("This API key lacks the scope channels:publish."), "{}", ran.err);
    let elsewhere = world.api.replace("/api", "");
    let ran = world.place.run(&["channels", "--api", &elsewhere, "--key-file", "key"]).expect(1);
    assert!(ran.err.contains("is it the API"), "{}", ran.err);
}

#[test]
fn there_is_no_argument_for_a_key_and_no_call_without_one() {
    let place = Place::with(&[("empty", " \n"), ("odd", "a b\n")]);
    for (arguments, code, said) in [
        (&["channels"][..], 2, "there is no key in LYCHGATE_API_KEY"),
        (&["channels", "--key-file", "empty"], 2, "there is no key in empty"),
        (&["channels", "--key-file", "absent"], 2, "cannot read absent"),
        (&["channels", "--key-file", "odd"], 2, "what odd holds is no key"),
        (&["channels", "--key", "lgk_x"], 2, "--key"),
        (&["channels", "--api", "ws://127.0.0.1/api"], 2, "--api"),
    ] {
        let ran = place.run(arguments).expect(code);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
    let environment = BTreeMap::from([("LYCHGATE_API_KEY", "lgk_SENTINEL")]);
    let refused = place.run_in(&environment, &["channels", "--api", "http://127.0.0.1:1/api"]).expect(4);
    assert!(refused.err.contains("is the server running?") && !refused.says("SENTINEL"), "{}", refused.err);
    assert!(!refused.says("unencrypted"));
    let far = place.run_in(&environment, &["channels", "--api", "http://nowhere.invalid:1/api"]).expect(4);
    assert!(far.err.contains("the key travels unencrypted"), "{}", far.err);
}
