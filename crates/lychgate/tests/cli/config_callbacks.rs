//! Who of the application is asked what: what each fault in the configuration is told as.

use crate::support::{Place, Ran};

/// An endpoint that asks the application everything.
const GOOD: &str = r#"
[tokens]
signing = "eddsa"

[server]
origins = ["https://app.example.com"]

[source.app]
url = "http://127.0.0.1:1"
secret = "4f0c8a1e9b7d2c6a5e3f1b0d8c7a6e5f"
retries = 2
retry_statuses = [429, 503]

[endpoint.realtime]
path = "/connection/websocket"
kind = "channels"
on_connect = "app"
on_connect_headers = ["cookie", "x-device"]
on_connect_emulated_headers = ["x-device"]
on_refresh = "app"

[namespace.chat]
channel = "chat:{room:int}"
on_sub_refresh = "app"
policy = { rule = "token" }
"#;

fn check(text: &str) -> Ran {
    Place::with(&[("lychgate.toml", text)]).run(&["config", "check"])
}

#[test]
fn each_fault_of_a_question_is_told_with_its_remedy() {
    check(GOOD).expect(0);
    for (from, to, key, remedy) in [
        ("on_connect = \"app\"", "on_connect = \"ap\"", "endpoint.realtime.on_connect", "Write [source.ap]"),
        ("on_refresh = \"app\"", "on_refresh = \"ap\"", "endpoint.realtime.on_refresh", "Write [source.ap]"),
        ("on_sub_refresh = \"app\"", "on_sub_refresh = \"ap\"", "namespace.chat.on_sub_refresh", "Write [source.ap]"),
        ("on_connect = \"app\"\n", "", "endpoint.realtime.on_connect_headers", "Write on_connect"),
        ("on_connect = \"app\"\n", "", "endpoint.realtime.on_connect_emulated_headers", "Write on_connect"),
        ("kind = \"channels\"\n", "", "endpoint.realtime.on_connect", "kind = \"channels\""),
        ("kind = \"channels\"\n", "", "endpoint.realtime.on_refresh", "kind = \"channels\""),
        ("origins = [\"https://app.example.com\"]", "", "endpoint.realtime.on_connect_headers", "server.origins"),
        ("\"cookie\", ", "\"Cookie\", ", "endpoint.realtime.on_connect_headers", "lower case"),
        ("\"cookie\", ", "\"a b\", ", "endpoint.realtime.on_connect_headers", "lower case"),
        ("\"cookie\", ", "\"host\", ", "endpoint.realtime.on_connect_headers", "Remove it"),
        ("\"cookie\", ", "\"connection\", ", "endpoint.realtime.on_connect_headers", "Remove it"),
        ("\"cookie\", ", "\"content-length\", ", "endpoint.realtime.on_connect_headers", "Remove it"),
        ("\"cookie\", ", "\"webhook-signature\", ", "endpoint.realtime.on_connect_headers", "Remove it"),
        ("= [\"x-device\"]", "= [\"webhook-id\"]", "endpoint.realtime.on_connect_emulated_headers", "Remove it"),
        ("retries = 2", "retries = 4", "source.app.retries", "from 0 to 3"),
        ("[429, 503]", "[429, 404]", "source.app.retry_statuses", "500 to 599"),
        ("[429, 503]", "[200]", "source.app.retry_statuses", "500 to 599"),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from}");
        let ran = check(&text).expect(2);
        assert!(ran.err.contains(key) && ran.err.contains(remedy), "{key}, {to}: {}", ran.err);
    }
    // A cookie needs an origin; another header does not.
    let without = GOOD.replace("origins = [\"https://app.example.com\"]", "").replace("\"cookie\", ", "");
    check(&without).expect(0);
}

#[test]
fn what_serves_says_who_is_asked() {
    let text = Place::with(&[("lychgate.toml", GOOD)]).run(&["endpoints"]).expect(0).out;
    assert!(text.contains("without a token source.app is asked who connects\n"), "{text}");
}
