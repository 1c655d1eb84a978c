//! Whoever may do something in a channel of a namespace that was imported could do it before.
//!
//! Both rules are written down here once more, in few words, and asked about each of many namespaces.

use serde_json::{Value, json};

use super::import;

const FLAGS: [&str; 20] = [
    "allow_subscribe_for_client",
    "allow_subscribe_for_anonymous",
    "allow_publish_for_client",
    "allow_publish_for_subscriber",
    "allow_publish_for_anonymous",
    "presence",
    "allow_presence_for_client",
    "allow_presence_for_subscriber",
    "allow_presence_for_anonymous",
    "allow_history_for_client",
    "allow_history_for_subscriber",
    "allow_history_for_anonymous",
    "allow_user_limited_channels",
    "subscribe_proxy_enabled",
    "publish_proxy_enabled",
    "join_leave",
    "force_push_join_leave",
    "allow_recovery",
    "force_recovery",
    "force_positioning",
];

const REGEXES: [&str; 4] = ["", "", "^[a-zA-Z0-9_-]+$", "^[0-9]+$"];

/// What stands behind the prefix. `carol` asks.
const NAMES: [&str; 4] = ["abc", "a.b", "7", "room#alice,bob"];

/// Who may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    No,
    /// If the backend says so.
    Asked,
    Yes,
}

use May::{Asked, No, Yes};

fn yes(allowed: bool) -> May {
    if allowed { Yes } else { No }
}

/// A namespace of Centrifugo.
struct Theirs<'a>(&'a Value);

impl Theirs<'_> {
    fn flag(&self, key: &str) -> bool {
        self.0[key] == true
    }

    fn exists(&self, name: &str) -> bool {
        match self.0["channel_regex"].as_str().unwrap_or_default() {
            "" => true,
            "^[0-9]+$" => name.bytes().all(|byte| byte.is_ascii_digit()),
            _ => name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)),
        }
    }

    fn enters(&self, is_visitor: bool, name: &str) -> May {
        if !self.exists(name) || self.flag("allow_user_limited_channels") && name.contains('#') {
            return No;
        }
        if self.flag("subscribe_proxy_enabled") {
            return Asked;
        }
        yes(self.flag(if is_visitor { "allow_subscribe_for_anonymous" } else { "allow_subscribe_for_client" }))
    }

    fn does(&self, what: &str, is_visitor: bool, name: &str, is_there: bool) -> May {
        let is_kept = match what {
            "publish" => true,
            "presence" => self.flag("presence"),
            _ => self.0["history_size"].as_i64() > Some(0) && self.0["history_ttl"].is_string(),
        };
        if !self.exists(name) || !is_kept {
            return No;
        }
        if what == "publish" && self.flag("publish_proxy_enabled") {
            return Asked;
        }
        let of = |who: &str| self.flag(&format!("allow_{what}_for_{who}"));
        yes((of("client") || of("subscriber") && is_there) && (!is_visitor || of("anonymous")))
    }
}

/// One of ours.
struct Ours(toml::Value);

impl Ours {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(toml::Value::as_str).unwrap_or_default()
    }

    fn exists(&self, name: &str) -> bool {
        !self.text("channel").ends_with("{name:name}")
            || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    }

    fn enters(&self, is_visitor: bool, name: &str) -> May {
        let policy = &self.0["policy"];
        let may = policy["rule"].as_str() == Some("any")
            && (!is_visitor || policy.get("anonymous").and_then(toml::Value::as_bool) == Some(true))
            && self.exists(name);
        if may && self.0.get("on_subscribe").is_some() { Asked } else { yes(may) }
    }

    fn does(&self, what: &str, is_visitor: bool, name: &str, is_there: bool) -> May {
        // A policy lets somebody do what is permitted, whether they would have been asked about or not.
        let is_permitted = self.enters(is_visitor, name) != No;
        let may = self.exists(name)
            && match self.text(what) {
                "permitted" => is_there || is_permitted,
                "subscribers" => is_there,
                _ => false,
            };
        if may && what == "publish" && self.0.get("on_publish").is_some() { Asked } else { yes(may) }
    }
}

/// Numbers that look like chance, and are the same each time.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn nobody_may_more_than_before() {
    let mut state = 7;
    let (mut opened, mut asked) = (0, 0);
    for _ in 0..4_000 {
        let mut options = json!({ "name": "ns" });
        for flag in FLAGS {
            options[flag] = (next(&mut state).is_multiple_of(3)).into();
        }
        if next(&mut state).is_multiple_of(2) {
            options["history_size"] = 10.into();
            options["history_ttl"] = "1m".into();
        }
        options["channel_regex"] = REGEXES[next(&mut state) as usize % REGEXES.len()].into();
        let has_backend = next(&mut state).is_multiple_of(2);
        let endpoint = if has_backend { "http://127.0.0.1:1/" } else { "grpc://127.0.0.1:1" };
        let file = json!({
            "client": { "allow_anonymous_connect_without_token": next(&mut state).is_multiple_of(2) },
            "channel": {
                "namespaces": [options],
                "proxy": { "subscribe": { "endpoint": endpoint }, "publish": { "endpoint": endpoint } },
            },
        });
        let imported = import(&file).unwrap();
        let text: toml::Table = toml::from_str(&imported.text).unwrap();
        let (theirs, ours) = (Theirs(&file["channel"]["namespaces"][0]), Ours(text["namespace"]["ns"].clone()));
        for (is_visitor, name) in [true, false].into_iter().flat_map(|is_visitor| NAMES.map(|name| (is_visitor, name)))
        {
            let (before, now) = (theirs.enters(is_visitor, name), ours.enters(is_visitor, name));
            assert!(
                now <= before,
                "{name}, visitor {is_visitor}: {now:?}, and {before:?} before\n{file}\n{}",
                imported.text
            );
            opened += u32::from(now == Yes);
            asked += u32::from(now == Asked);
            for is_there in [true, false] {
                // Somebody may be there by a token, which visitors and names that did not exist have none of.
                if is_there && now == No && (is_visitor || !theirs.exists(name)) {
                    continue;
                }
                for what in ["publish", "presence", "history"] {
                    let before = theirs.does(what, is_visitor, name, is_there);
                    let now = ours.does(what, is_visitor, name, is_there);
                    assert!(
                        now <= before,
                        "{what} {name}, visitor {is_visitor}, there {is_there}: {now:?}, and {before:?} before\n{file}\n{}",
                        imported.text
                    );
                }
            }
        }
    }
    assert!(opened > 500 && asked > 500, "it is not closed because nothing is open: {opened}, {asked}");
}
