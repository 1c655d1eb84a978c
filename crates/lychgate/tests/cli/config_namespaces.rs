//! Namespaces in the configuration: what each fault is told as, and what they come to.

use serde_json::Value;

use crate::support::{Place, Ran};

/// A server with one namespace and an endpoint for it.
const GOOD: &str = r#"
[tokens]
signing = "eddsa"

[endpoint.realtime]
path = "/connection/websocket"
kind = "channels"

[namespace.chat]
channel = "chat:{room:int}"
policy = { rule = "member" }
"#;

fn check(text: &str) -> Ran {
    Place::with(&[("lychgate.toml", text)]).run(&["config", "check"])
}

#[test]
fn each_fault_of_a_namespace_is_told_with_its_remedy() {
    check(GOOD).expect(0);
    for (from, to, key, remedy) in [
        ("channel = \"chat:{room:int}\"\n", "", "namespace.chat.channel", "channel = \"chat:{topic}\""),
        ("rule = \"member\"", "", "namespace.chat.policy.rule", "rule = \"any\""),
        ("\"chat:{room:int}\"", "\"chat {room}\"", "namespace.chat.channel", "visible ASCII"),
        ("\"chat:{room:int}\"", "\"{room}:chat\"", "namespace.chat.channel", "put a character"),
        (
            "rule = \"member\"",
            "rule = \"member\", anonymous = true",
            "namespace.chat.policy.anonymous",
            "rule = \"any\"",
        ),
        ("rule = \"member\"", "rule = \"member\", source = \"db\"", "namespace.chat.policy.source", "[source.db]"),
        ("rule = \"member\"", "rule = \"member\", resource = \"{x}\"", "namespace.chat.policy.resource", "{room}"),
        ("rule = \"member\"", "rule = \"members\"", "namespace.chat.policy.rule", "member"),
        ("/websocket\"", "/{x}\"", "endpoint.realtime.path", "/connection/websocket"),
        (
            "kind = \"channels\"",
            "kind = \"channels\"\ninbox = \"me:{user.id}\"",
            "endpoint.realtime.inbox",
            "\"me:{name}\"",
        ),
    ] {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from}");
        let ran = check(&text).expect(2);
        assert!(ran.err.contains(key) && ran.err.contains(remedy), "{key}: {}", ran.err);
    }
    let without = GOOD.split("[namespace").next().unwrap();
    assert!(check(without).expect(2).err.contains("Write a [namespace.NAME]"));
    let twin = format!("{GOOD}[namespace.rooms]\nchannel = \"chat:{{name}}\"\npolicy = {{ rule = \"any\" }}\n");
    assert!(check(&twin).expect(2).err.contains("begins like that of namespace.chat"));
    check(&twin.replace("\"chat:{name}\"", "\"chat:admin:{name}\"")).expect(0);
}

#[test]
fn ways_without_a_websocket_have_paths_of_their_own_and_lead_to_channels() {
    let with = |keys: &str| GOOD.replace("kind = \"channels\"", &format!("kind = \"channels\"\n{keys}"));
    let both = with("sse = \"/connection/sse\"\nhttp_stream = \"/connection/http_stream\"");
    check(&both).expect(0);
    let emulation = |path: &str| format!("[server]\nemulation = \"{path}\"\n");
    let plain = "[endpoint.other]\npath = \"/emulation\"\n";
    check(&format!("{GOOD}{plain}")).expect(0);
    for (text, said) in [
        (
            with("sse = \"/connection/websocket\""),
            "endpoint.realtime.sse: /connection/websocket is taken by endpoint.realtime.path",
        ),
        (
            with("sse = \"/same\"\nhttp_stream = \"/same\""),
            "endpoint.realtime.http_stream: /same is taken by endpoint.realtime.sse",
        ),
        (with("sse = \"/token\""), "endpoint.realtime.sse: /token is taken by login.path"),
        (with("sse = \"no path\""), "endpoint.realtime.sse: "),
        (
            format!("{both}{}", emulation("/connection/sse")),
            "server.emulation: /connection/sse is taken by endpoint.realtime.sse",
        ),
        (format!("{both}{plain}"), "server.emulation: /emulation is taken by endpoint.other.path"),
        (
            format!("{both}[endpoint.other]\npath = \"/other\"\nsse = \"/other/sse\"\n"),
            "endpoint.other.sse: clients of this kind of endpoint come by WebSocket alone",
        ),
    ] {
        let ran = check(&text).expect(2);
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    check(&format!("{both}{plain}{}", emulation("/speak"))).expect(0);
    let place = Place::with(&[("lychgate.toml", &both)]);
    let text = place.run(&["endpoints"]).expect(0).out;
    for (name, url) in [
        ("sse", "http://127.0.0.1:8000/connection/sse"),
        ("http_stream", "http://127.0.0.1:8000/connection/http_stream"),
    ] {
        let line = format!("  {name}, where WebSockets are blocked: {url}\n");
        assert!(text.contains(&line), "{line}{text}");
        let shown: Value = serde_json::from_str(&place.run(&["endpoints", "--json"]).expect(0).out).unwrap();
        assert_eq!(shown[0]["fallbacks"][name], url, "{shown}");
    }
}

#[test]
fn an_inbox_is_in_a_namespace() {
    let text = GOOD.replace("kind = \"channels\"", "kind = \"channels\"\ninbox = \"me:{user.id}\"");
    check(&text).expect(2);
    for (name, form) in [("inbox", "me:{name}"), ("short", "me{name}"), ("all", "{name}")] {
        let more = format!("[namespace.{name}]\nchannel = \"{form}\"\npolicy = {{ rule = \"none\" }}\n");
        check(&format!("{text}{more}")).expect(0);
    }
}

#[test]
fn endpoints_say_which_channels_there_are_and_for_whom() {
    let more = r#"
[namespace.news]
channel = "news"
policy = { rule = "any" }

[namespace.inbox]
channel = "inbox:{name}"
policy = { rule = "none" }

[namespace.paid]
channel = "paid:{name}"
policy = { rule = "token" }
"#;
    let place = Place::with(&[("lychgate.toml", &format!("{GOOD}{more}"))]);
    let text = place.run(&["endpoints"]).expect(0).out;
    for line in [
        "  channels, by the Centrifuge client protocol\n",
        "    chat:{room:int}: members of chat:{room}, by the word of the registry here\n",
        "    inbox:{name}: nobody by themselves; the server subscribes its clients\n",
        "    news: everybody who is connected\n",
        "    paid:{name}: who shows a token for the channel\n",
        "  token in the first command: {\"id\":1,\"connect\":{\"token\":\"TOKEN\"}}\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    let shown: Value = serde_json::from_str(&place.run(&["endpoints", "--json"]).expect(0).out).unwrap();
    assert_eq!(shown[0]["channel"], Value::Null);
    assert_eq!(shown[0]["namespaces"].as_array().map(Vec::len), Some(4), "{shown}");
}
