//! Codecs as configuration: the whole ones that applications need, what is printed of them, and what is wrong with bad ones.

use std::collections::BTreeMap;

use crate::support::Place;

const CODECS: [(&str, &str); 5] = [
    ("chat", include_str!("codecs/chat.toml")),
    ("broadcast", include_str!("codecs/broadcast.toml")),
    ("stream", include_str!("codecs/stream.toml")),
    ("rooms", include_str!("codecs/rooms.toml")),
    ("inbox", include_str!("codecs/inbox.toml")),
];

#[test]
fn whole_codecs_are_good_and_survive_being_printed() {
    for (name, text) in CODECS {
        let place = Place::with(&[("c.toml", text)]);
        place.run(&["config", "check", "--config", "c.toml"]).expect(0);
        let first = place.run(&["config", "print", "--config", "c.toml"]).expect(0).out;
        std::fs::write(place.path.join("again.toml"), &first).unwrap();
        let second = place.run(&["config", "print", "--config", "again.toml"]).expect(0).out;
        assert_eq!(values(&first), values(&second), "{name}");
        // What was written is there again, in the same order.
        for line in text.lines().filter(|line| line.contains("send = {") && !line.starts_with("rate")) {
            assert!(first.contains(line), "{name} lost: {line}\n--- of\n{first}");
        }
    }
}

/// Nothing is read as it should be if everything is: each of these takes one name that is not there.
#[test]
fn a_name_that_does_not_exist_stops_the_start() {
    for (name, text) in CODECS {
        for (good, bad) in
            [("{user.", "{usr."), ("{in.", "{inn."), ("{now.iso}", "{now.is}"), ("{conn.id}", "{con.id}")]
        {
            if text.contains(good) {
                let place = Place::with(&[("c.toml", &text.replacen(good, bad, 1))]);
                let ran = place.run(&["config", "check", "--config", "c.toml"]).expect(2);
                assert!(ran.err.contains("there is no name"), "{name}, {bad}: {}", ran.err);
                assert!(ran.err.contains(&format!("Write {good}")), "{name}, {bad}: {}", ran.err);
            }
        }
    }
}

const FAULTY: &str = "\
[endpoint.ws.codec]
welcome = { type = \"hi\", who = \"{user.nam}\" }
join = { send = { a = \"{in.x}\" }, to = \"nobody\" }
leave = { to = \"all\" }
ping = { send = 1, every = \"10ms\" }
error = { at = 2026-01-01 }
require = [\"a..b\"]
unknown = \"shrug\"
tolerate = [\"x\"]
[endpoint.ws.codec.in.x]
act = \"store\"
status = \"away\"
send = { n = \"{stored.idd}\", deep = [1, { t = \"a } b\" }] }
max_chars = { a = 1, b = 2 }
rate = { count = 0, window = \"1m\", burst = 3 }
to = \"channel:{in.room}\"
mention = { channel = \"user:{mentioned.id}\" }
sned = 1
";

#[test]
fn every_fault_of_a_codec_has_its_line_its_key_and_its_remedy() {
    let place = Place::with(&[("c.toml", FAULTY)]);
    let ran = place.run(&["config", "check", "--config", "c.toml"]).expect(2);
    for said in [
        "c.toml:2: endpoint.ws.codec.welcome.0.who: there is no name \"user.nam\" here.\n  Write {user.name} if",
        "c.toml:3: endpoint.ws.codec.join.send.a: there is no name \"in.x\" here.",
        "c.toml:3: endpoint.ws.codec.join.to: \"nobody\" is nobody.\n  Write \"all\", \"others\"",
        "c.toml:4: endpoint.ws.codec.leave: a key is missing.\n  Write for example { send =",
        "c.toml:5: endpoint.ws.codec.ping.every: \"10ms\" is outside the bounds.",
        "c.toml:6: endpoint.ws.codec.error: a template cannot hold a date or time.",
        "c.toml:7: endpoint.ws.codec.require: \"a..b\" is no path into a frame.",
        "c.toml:8: endpoint.ws.codec.unknown: \"shrug\" is not known here.",
        "c.toml:9: endpoint.ws.codec.tolerate: \"x\" has a rule of its own.\n  Remove it here, or in.x",
        "c.toml:12: endpoint.ws.codec.in.x.status: it has no meaning with act = \"store\".",
        "c.toml:13: endpoint.ws.codec.in.x.send.n: there is no name \"stored.idd\" here.\n  Write {stored.id} if",
        "c.toml:13: endpoint.ws.codec.in.x.send.deep.1.t: a } closes nothing in \"a } b\".",
        "c.toml:14: endpoint.ws.codec.in.x.max_chars: expected one path and its number.",
        "c.toml:15: endpoint.ws.codec.in.x.rate.count: 0 is outside the bounds.",
        "c.toml:15: endpoint.ws.codec.in.x.rate.burst: unknown key \"burst\".",
        "c.toml:16: endpoint.ws.codec.in.x.to: there is no name \"in.room\" here.",
        "c.toml:17: endpoint.ws.codec.in.x.mention: a key is missing.",
        "c.toml:18: endpoint.ws.codec.in.x.sned: unknown key \"sned\".\n  Write \"send\" if",
    ] {
        assert!(ran.err.contains(said), "not said: {said}\n--- said\n{}", ran.err);
    }
    assert_eq!(ran.err.trim_end().split("\n\n").count() - 1, 18, "{}", ran.err);
}

#[test]
fn numbers_of_every_kind_become_json() {
    let text = "[endpoint.ws.codec]\nwelcome = { whole = -3, part = 1.5, big = 1_000.25, yes = true, list = [1, [2.0]], \"a key\" = {} }\n";
    let place = Place::with(&[("c.toml", text)]);
    let out = place.run(&["config", "print", "--config", "c.toml"]).expect(0).out;
    let printed =
        "welcome = [{ whole = -3, part = 1.5, big = 1000.25, yes = true, list = [1, [2.0]], \"a key\" = {} }]";
    assert!(out.contains(printed), "{out}");
    let place = Place::with(&[("c.toml", "[endpoint.ws.codec]\nwelcome = { n = inf }\n")]);
    let ran = place.run(&["config", "check", "--config", "c.toml"]).expect(2);
    assert!(ran.err.contains("c.toml:2: endpoint.ws.codec.welcome.0.n: JSON has no such number."), "{}", ran.err);
}

#[test]
fn whoever_asks_has_to_say_whom_and_what() {
    let text = "\
[endpoint.a.codec.in.x]
act = \"ask\"
[endpoint.b]
path = \"/b\"
[endpoint.b.codec.in.x]
act = \"ask\"
ask = { source = \"nobody\", request = { a = \"{in.x}\" }, chunk = \"{chnk}\", done = \"{chunk}\" }
[endpoint.c]
path = \"/c\"
[endpoint.c.codec.in.x]
ask = { request = 1, format = \"rhyme\" }
[endpoint.d]
path = \"/d\"
[endpoint.d.codec.in.x]
act = \"store\"
ask = { source = \"model\", request = 1 }
[source.model]
url = \"http://127.0.0.1:1/\"
";
    let place = Place::with(&[("c.toml", text)]);
    let ran = place.run(&["config", "check", "--config", "c.toml"]).expect(2);
    for said in [
        "endpoint.a.codec.in.x.ask: it is missing: nothing says whom act = \"ask\" asks.\n  Write ask = {",
        "endpoint.b.codec.in.x.ask: there is no source \"nobody\".\n  Write [source.nobody]",
        "endpoint.b.codec.in.x.ask.chunk: there is no name \"chnk\" here.\n  Write {chunk} if",
        "endpoint.b.codec.in.x.ask.done: there is no name \"chunk\" here.",
        "endpoint.c.codec.in.x.ask.format: \"rhyme\" is not known here.",
        "endpoint.d.codec.in.x.ask: it has no meaning with act = \"store\".",
    ] {
        assert!(ran.err.contains(said), "not said: {said}\n--- said\n{}", ran.err);
    }
    let place = Place::with(&[("c.toml", include_str!("codecs/ask.toml"))]);
    let out = place.run(&["config", "print", "--config", "c.toml"]).expect(0).out;
    let printed = "ask = { source = \"model\", format = \"openai\", request = { model = \"m\", stream = true, messages = \
                   [{ role = \"user\", content = \"{in.text}\" }] }, chunk = { type = \"token\", id = \"{in.id}\", text = \
                   \"{chunk}\" }, done = { type = \"complete\", at = \"{now.iso}\" }, total_timeout = \"30s\", text_bytes_max = \
                   \"16KiB\" }";
    assert!(out.contains(printed), "{out}");
    // The control: with a source, a request and the act it is good.
    let good = text.lines().skip(11).filter(|line| !line.starts_with("act")).map(|line| format!("{line}\n"));
    let good: String = good.collect::<String>().replace("codec.in.x]", "codec.in.x]\nact = \"ask\"");
    Place::with(&[("c.toml", &good)]).run(&["config", "check", "--config", "c.toml"]).expect(0);
}

#[test]
fn the_environment_can_set_a_template() {
    let place = Place::with(&[("c.toml", "[endpoint.ws.codec]\nerror = { type = \"error\" }\n")]);
    let variable = "LYCHGATE__ENDPOINT__WS__CODEC__ERROR";
    let set = |text| place.run_in(&BTreeMap::from([(variable, text)]), &["config", "print", "--config", "c.toml"]);
    let out = set("{ kind = \"{error.code}\", n = 1 }").expect(0).out;
    assert!(
        out.contains("error = { kind = \"{error.code}\", n = 1 }  # $LYCHGATE__ENDPOINT__WS__CODEC__ERROR"),
        "{out}"
    );
    let err = set("{ kind = \"{error.cod}\" }").expect(2).err;
    let said = format!("environment variable {variable}: endpoint.ws.codec.error.kind: there is no name \"error.cod\"");
    assert!(err.contains(&said), "{err}");
    assert!(set("{ kind").expect(2).err.contains("this is no TOML value"));
}

fn values(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_once("  # ").map_or(line, |(value, _)| value).to_owned()).collect()
}
