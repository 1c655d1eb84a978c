//! The registry, filled by HTTP with keys.

mod felt;
mod guide;

use serde_json::{Value, json};

use crate::harness::http::{self, Reply};
use crate::harness::process::program;
use crate::harness::wire::{self, FIN, PING, connect, frame, request};
use crate::harness::{Server, Setup, Wire, token};

/// Rights are asked for again by themselves so rarely that no test sees it.
const CONFIG: &str = r#"
[api]
enabled = true
body_bytes_max = "16KiB"
failed_keys_per_minute_per_address = 5

[login]
path = "/api/auth/login"

[profile.codes]
not_found = [4006, "not found"]
not_owner = [4007, "not owner"]
forbidden = [4008, "forbidden"]

[endpoint.chat]
path = "/chat/{channel:int}"
channel = "chat:{channel}"
profile = "codes"
credentials = ["query:token", "message:auth"]
policy = { rule = "member", ask_again = "1h" }

[endpoint.entry]
path = "/entry/{entry:int}"
channel = "entry:{entry}"
profile = "codes"
policy = { rule = "owner", ask_again = "1h" }

[endpoint.aside]
path = "/aside/{channel:int}"
channel = "aside:{channel}"
profile = "codes"
policy = { rule = "member", resource = "chat:{channel}", ask_again = "1h" }

[endpoint.open]
path = "/open"
channel = "chat:5"

[endpoint.neighbour]
path = "/api/{kind:name}/{id:int}"
channel = "neighbour"
"#;

struct World {
    server: Server,
    setup: Setup,
    key: String,
}

impl World {
    async fn begin() -> Self {
        Self::of(Setup::of(CONFIG)).await
    }

    async fn of(setup: Setup) -> Self {
        let (server, setup) = setup.start_and_keep().await;
        let key = setup.key("all", &["registry:read", "registry:write"]);
        Self { server, setup, key }
    }

    /// Sends a request with the key that may do everything.
    async fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        self.ask_with(method, path, body, &format!("authorization: Bearer {}\r\n", self.key)).await
    }

    /// Sends a request with these headers, a line each.
    async fn ask_with(&self, method: &str, path: &str, body: &str, headers: &str) -> Reply {
        let length = body.len();
        let head = format!(
            "{method} /api{path} HTTP/1.1\r\nhost: gate\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        http::exchange(self.server.address, format!("{head}{body}").as_bytes()).await
    }

    /// The same where nothing but this status will do.
    async fn expect(&self, status: u16, method: &str, path: &str, body: &str) -> Reply {
        let reply = self.ask(method, path, body).await;
        assert_eq!(reply.status, status, "{method} {path} {body}: {reply:?}");
        reply
    }

    /// A chat with these members.
    async fn chat(&self, number: u32, members: &[&str]) {
        self.expect(201, "PUT", &format!("/resources/chat:{number}"), "null").await;
        for member in members {
            self.expect(201, "PUT", &format!("/resources/chat:{number}/members/{member}"), "").await;
        }
    }

    async fn enters(&self, path: &str, sub: &str) -> Wire {
        let target = Server::at(path, sub);
        let mut wire =
            Wire::over(connect(self.server.address).await, &request(&target, ""), &frame(FIN | PING, b"in")).await;
        let first = wire.frame().await;
        assert_eq!(first.opcode, wire::PONG, "{sub} at {path}: {}", first.show());
        wire
    }
}

impl Setup {
    /// Makes a key, as an operator does.
    fn key(&self, name: &str, scopes: &[&str]) -> String {
        let mut command = program();
        command.args(["apikey", "create", name]);
        for scope in scopes {
            command.args(["--scope", scope]);
        }
        self.output(&mut command).trim_end().to_owned()
    }

    fn revoke(&self, name: &str) {
        let mut command = program();
        self.output(command.args(["apikey", "revoke", name]));
    }

    /// What `apikey list --json` says of one key.
    fn listed(&self, name: &str) -> Value {
        let mut command = program();
        let out = self.output(command.args(["apikey", "list", "--json"]));
        let keys = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        keys.into_iter().find(|key| key["name"] == name).expect("the key is listed")
    }

    fn output(&self, command: &mut std::process::Command) -> String {
        self.name_files(command);
        let output = command.output().expect("the program was built with the tests");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

#[tokio::test]
async fn resources_are_put_shown_and_deleted() {
    let world = World::begin().await;
    let reply = world.expect(201, "PUT", "/resources/entry:17", r#"{"owner": "ann"}"#).await;
    assert_eq!(reply.json(), json!({ "name": "entry:17", "owner": "ann" }));
    assert_eq!(reply.header("x-request-id").map(str::len), Some(12), "{reply:?}");
    assert_eq!(world.expect(200, "GET", "/resources/entry:17", "").await.json(), reply.json());
    for (body, owner) in
        [(r#"{"owner":"bob"}"#, json!("bob")), (r#"{"owner":null}"#, json!(null)), ("null", json!(null))]
    {
        let reply = world.expect(200, "PUT", "/resources/entry:17", body).await;
        assert_eq!(reply.json(), json!({ "name": "entry:17", "owner": owner }));
        assert_eq!(world.expect(200, "GET", "/resources/entry:17", "").await.json(), reply.json());
    }
    let reply = world.expect(204, "DELETE", "/resources/entry:17", "").await;
    assert!(reply.body.is_empty() && reply.header("x-request-id").is_some());
    for method in ["GET", "DELETE"] {
        assert_eq!(world.expect(404, method, "/resources/entry:17", "").await.code(), "not_found");
    }
}

#[tokio::test]
async fn members_are_put_and_deleted() {
    let world = World::begin().await;
    assert_eq!(world.expect(404, "PUT", "/resources/chat:5/members/ann", "").await.code(), "not_found");
    assert_eq!(world.expect(404, "GET", "/resources/chat:5/members", "").await.code(), "not_found");
    world.chat(5, &["ann"]).await;
    let reply = world.expect(200, "PUT", "/resources/chat:5/members/ann", "").await;
    assert_eq!(reply.json(), json!({ "resource": "chat:5", "user": "ann" }), "she was one");
    let reply = world.expect(200, "GET", "/resources/chat:5/members", "").await;
    assert_eq!(reply.json(), json!({ "members": ["ann"], "next": null }));
    world.expect(204, "DELETE", "/resources/chat:5/members/ann", "").await;
    assert_eq!(world.expect(404, "DELETE", "/resources/chat:5/members/ann", "").await.code(), "not_found");
    assert_eq!(world.expect(404, "DELETE", "/resources/chat:6/members/ann", "").await.code(), "not_found");
    world.expect(201, "PUT", "/resources/chat:5/members/ann", "").await;
    world.expect(204, "DELETE", "/resources/chat:5", "").await;
    world.chat(5, &[]).await;
    let reply = world.expect(200, "GET", "/resources/chat:5/members", "").await;
    assert_eq!(reply.json(), json!({ "members": [], "next": null }), "with the resource its members went");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::begin().await;
    world.expect(201, "PUT", "/resources/A", "null").await;
    for name in ["b", "~", "a", "B"] {
        world.expect(201, "PUT", &format!("/resources/{name}"), &json!({ "owner": name }).to_string()).await;
        world.expect(201, "PUT", &format!("/resources/A/members/{name}"), "").await;
    }
    let (mut names, mut members) = (Vec::new(), Vec::new());
    for (path, entries, field, seen) in
        [("/resources", "resources", Some("name"), &mut names), ("/resources/A/members", "members", None, &mut members)]
    {
        let mut after = String::new();
        loop {
            let page = world.expect(200, "GET", &format!("{path}?limit=2&after={after}"), "").await.json();
            let listed = page[entries].as_array().expect("a list").clone();
            assert!(listed.len() <= 2, "{page}");
            seen.extend(listed.iter().map(|entry| field.map_or(entry, |field| &entry[field]).clone()));
            match page["next"].as_str() {
                Some(next) => after = next.replace('~', "%7E"),
                None => break,
            }
        }
    }
    assert_eq!(names, ["A", "B", "a", "b", "~"]);
    assert_eq!(members, ["B", "a", "b", "~"]);
    let whole = world.expect(200, "GET", "/resources", "").await.json();
    assert_eq!(whole["resources"][1], json!({ "name": "B", "owner": "B" }));
    assert_eq!(whole["next"], Value::Null);
}

#[tokio::test]
async fn names_are_decoded_once() {
    let world = World::begin().await;
    for (escaped, name) in [
        ("chat:5", "chat:5"),
        ("chat%3A6", "chat:6"),
        ("a%2Fb", "a/b"),
        ("a%2fb%2Fmembers%2Fc", "a/b/members/c"),
        ("100%25", "100%"),
        ("a%2541", "a%41"),
        ("%2E%2E", ".."),
        ("a+b", "a+b"),
        ("%3Fq%23f", "?q#f"),
    ] {
        let put = world.expect(201, "PUT", &format!("/resources/{escaped}"), "null").await;
        assert_eq!(put.json()["name"], name, "{escaped}");
        assert_eq!(world.expect(200, "GET", &format!("/resources/{escaped}"), "").await.json()["name"], name);
        let member = world.expect(201, "PUT", &format!("/resources/{escaped}/members/{escaped}"), "").await;
        assert_eq!(member.json(), json!({ "resource": name, "user": name }));
    }
    let member = world.expect(201, "PUT", "/resources/chat:5/members/Zo%C3%AB%20K.", "").await;
    assert_eq!(member.json()["user"], "Zoë K.");
    world.expect(204, "DELETE", "/resources/chat:5/members/Zo%C3%AB%20K.", "").await;
    let listed = world.expect(200, "GET", "/resources?limit=1000", "").await.json();
    assert_eq!(listed["resources"].as_array().map(Vec::len), Some(9), "{listed}");
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    let world = World::begin().await;
    world.chat(5, &[]).await;
    let (fits, long) = ("x".repeat(255), "x".repeat(256));
    for name in ["a%20b", "%C3%A9", "a%00", "a%0A", "%FF", &long] {
        for (method, path, body) in [
            ("PUT", format!("/resources/{name}"), "null"),
            ("GET", format!("/resources/{name}"), ""),
            ("DELETE", format!("/resources/{name}"), ""),
            ("GET", format!("/resources/{name}/members"), ""),
            ("PUT", format!("/resources/{name}/members/ann"), ""),
        ] {
            assert_eq!(world.expect(422, method, &path, body).await.code(), "name", "{method} {path}");
        }
    }
    for user in ["a%00", "a%1B", "%C2%85", "%FF", &long] {
        assert_eq!(world.expect(422, "PUT", &format!("/resources/chat:5/members/{user}"), "").await.code(), "name");
    }
    for owner in ["", "a\u{1b}", &long] {
        let body = json!({ "owner": owner }).to_string();
        assert_eq!(world.expect(422, "PUT", "/resources/chat:5", &body).await.code(), "name", "{owner:?}");
    }
    world.expect(201, "PUT", &format!("/resources/{fits}"), &json!({ "owner": fits }).to_string()).await;
    world.expect(201, "PUT", &format!("/resources/{fits}/members/{fits}"), "").await;
}

#[tokio::test]
async fn bodies_queries_and_methods_that_cannot_be_are_refused() {
    let world = World::begin().await;
    world.expect(201, "PUT", "/resources/a", r#"{"owner":"ann"}"#).await;
    for body in ["", "{}", "[]", "{owner:1}", r#"{"ower":"bob"}"#, r#"{"owner":"bob","owner":"eve"}"#, r#"{"owner":7}"#]
    {
        assert_eq!(world.expect(400, "PUT", "/resources/a", body).await.code(), "bad_json", "{body}");
    }
    let padded = |bytes: usize| format!("{:bytes$}", r#"{"owner":"ann"}"#);
    assert_eq!(world.expect(413, "PUT", "/resources/a", &padded(16 * 1024 + 1)).await.code(), "too_large");
    world.expect(200, "PUT", "/resources/a", &padded(16 * 1024)).await;
    for query in ["limit=0", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "after=a&after=b"] {
        assert_eq!(world.expect(400, "GET", &format!("/resources?{query}"), "").await.code(), "query", "{query}");
    }
    world.expect(200, "GET", "/resources?limit=99999999999&after=", "").await;
    for (method, path) in [("POST", "/resources/a"), ("PUT", "/resources"), ("GET", "/resources/a/members/b")] {
        let reply = world.expect(405, method, path, "").await;
        assert_eq!(reply.code(), "method");
        assert!(reply.header("allow").is_some() && reply.header("x-request-id").is_some(), "{reply:?}");
    }
    assert_eq!(world.expect(404, "GET", "/resources/a/owners", "").await.code(), "not_found");
    assert_eq!(world.expect(200, "GET", "/resources/a", "").await.json()["owner"], "ann", "nothing of this changed it");
}

#[tokio::test]
async fn a_key_is_shown_in_one_of_two_ways() {
    let world = World::begin().await;
    let key = &world.key;
    let bearer = format!("authorization: Bearer {key}\r\n");
    let own = format!("x-api-key: {key}\r\n");
    let basic = "authorization: Basic dXNlcjpwYXNz\r\n";
    for headers in
        [bearer.clone(), bearer.to_lowercase().replace(&key.to_lowercase(), key), own.clone(), format!("{basic}{own}")]
    {
        assert_eq!(world.ask_with("GET", "/resources", "", &headers).await.status, 200, "{headers}");
    }
    for headers in [
        format!("{bearer}{own}"),
        format!("{own}{own}"),
        format!("{bearer}{bearer}"),
        format!("{bearer}x-api-key: x\r\n"),
    ] {
        let reply = world.ask_with("GET", "/resources", "", &headers).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "two_keys"), "{headers}");
    }
    for headers in ["", basic] {
        let reply = world.ask_with("GET", "/resources", "", headers).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "missing"), "{headers}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    let reply = world.ask_with("GET", &format!("/resources?api_key={key}"), "", "").await;
    assert_eq!(reply.status, 401, "the query is no place for a key");
}

#[tokio::test]
async fn a_key_is_good_for_its_scopes_until_it_is_revoked() {
    let world = World::begin().await;
    world.chat(5, &["ann"]).await;
    let (reads, writes) =
        (world.setup.key("reads", &["registry:read"]), world.setup.key("writes", &["registry:write"]));
    let header = |key: &str| format!("x-api-key: {key}\r\n");
    for (method, path, body, scope, status) in [
        ("GET", "/resources", "", "registry:read", 200),
        ("GET", "/resources/chat:5", "", "registry:read", 200),
        ("GET", "/resources/chat:5/members", "", "registry:read", 200),
        ("PUT", "/resources/chat:6", "null", "registry:write", 201),
        ("PUT", "/resources/chat:6/members/ann", "", "registry:write", 201),
        ("DELETE", "/resources/chat:6/members/ann", "", "registry:write", 204),
        ("DELETE", "/resources/chat:6", "", "registry:write", 204),
    ] {
        let (good, bad) = if scope == "registry:read" { (&reads, &writes) } else { (&writes, &reads) };
        let reply = world.ask_with(method, path, body, &header(bad)).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "missing_scope"), "{method} {path}");
        assert!(reply.json()["detail"].as_str().is_some_and(|detail| detail.contains(scope)), "{reply:?}");
        assert_eq!(world.ask_with(method, path, body, &header(good)).await.status, status, "{method} {path}");
    }
    world.setup.revoke("reads");
    let reply = world.ask_with("GET", "/resources", "", &header(&reads)).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "invalid"), "a revoked key is like any that is none");
    world.expect(200, "GET", "/resources", "").await;
    assert_ne!(world.setup.listed("writes")["last_used_at"], Value::Null);
    world.setup.key("new", &["registry:read"]);
    assert_eq!(world.setup.listed("new")["last_used_at"], Value::Null, "the control was never shown");
}

#[tokio::test]
async fn an_address_that_guesses_has_to_wait() {
    let world = World::of(Setup::of(CONFIG).over("[server]\ntrusted_proxies = [\"127.0.0.1/32\"]\n")).await;
    let from = |address: &str, key: &str| format!("x-forwarded-for: {address}\r\nx-api-key: {key}\r\n");
    let guesses =
        [format!("lgk_{}", "A".repeat(43)), "lgk_short".to_owned(), token::own("ann"), "é".to_owned(), " ".to_owned()];
    for guess in &guesses {
        for _ in 0..3 {
            // Good keys cost nothing, however many.
            assert_eq!(world.ask_with("GET", "/resources", "", &from("192.0.2.1", &world.key)).await.status, 200);
        }
        let reply = world.ask_with("GET", "/resources", "", &from("192.0.2.1", guess)).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "invalid"), "{guess}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
    for key in [&guesses[0], &world.key] {
        let reply = world.ask_with("GET", "/resources", "", &from("192.0.2.1", key)).await;
        assert_eq!((reply.status, reply.code().as_str()), (429, "throttled"));
        let wait: u64 = reply.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
        assert!((1..=12).contains(&wait), "a fifth of a minute is the most: {wait}");
    }
    assert_eq!(world.ask_with("GET", "/resources", "", &from("192.0.2.2", &world.key)).await.status, 200);
    for guess in guesses.iter().filter(|guess| guess.len() > 8).chain([&world.key]) {
        world.server.log().never_holds(guess);
    }
}

#[tokio::test]
async fn a_change_is_logged_and_counted_and_no_key_is() {
    let world = World::begin().await;
    let reply = world.expect(201, "PUT", "/resources/entry:17", r#"{"owner":"ann"}"#).await;
    world.expect(404, "GET", "/resources/entry:18", "").await;
    world.expect(404, "GET", "/resources/entry:18", "").await;
    let id = reply.header("x-request-id").expect("an id").to_owned();
    let line = world.server.log().wait_for("the change", |line| line["request_id"] == id.as_str()).await;
    assert_eq!(
        (&line["key"], &line["resource"], &line["route"], &line["address"]),
        (&json!("all"), &json!("entry:17"), &json!("put_resource"), &json!("127.0.0.1"))
    );
    let metrics = world.server.metrics().await;
    for (route, status, count) in [("put_resource", "201", 1), ("get_resource", "404", 2), ("get_resource", "200", 0)] {
        let value = metrics.value("lychgate_api_requests_total", &[("route", route), ("status", status)]);
        assert_eq!(value, count, "{route} {status}");
    }
    world.server.log().never_holds(&world.key);
}

#[tokio::test]
async fn pages_of_browsers_cannot_read_it() {
    let world = World::of(Setup::of(CONFIG).over("[server]\norigins = [\"https://app.example.com\"]\n")).await;
    let headers = format!("origin: https://app.example.com\r\nx-api-key: {}\r\n", world.key);
    let reply = world.ask_with("GET", "/resources", "", &headers).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, None));
    let preflight = "origin: https://app.example.com\r\naccess-control-request-method: PUT\r\n";
    assert_eq!(world.ask_with("OPTIONS", "/resources/a", "", preflight).await.status, 405);
}

#[tokio::test]
async fn without_the_setting_there_is_no_api() {
    let world = World::of(Setup::of(CONFIG).over("[api]\nenabled = false\n")).await;
    assert_eq!(world.expect(404, "GET", "/resources", "").await.code(), "not_found");
    let moved = World::of(Setup::of(CONFIG).over("[api]\npath = \"/\"\n")).await;
    let target =
        format!("GET /resources HTTP/1.1\r\nhost: gate\r\nconnection: close\r\nx-api-key: {}\r\n\r\n", moved.key);
    assert_eq!(http::exchange(moved.server.address, target.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn what_stands_beside_it_stays() {
    let world = World::begin().await;
    world.enters("/api/resource/5", "ann").await;
    let login = http::post_form(world.server.address, "/api/auth/login", "username=ann&password=x", "").await;
    assert_eq!((login.status, login.code().as_str()), (401, "bad_credentials"));
}
