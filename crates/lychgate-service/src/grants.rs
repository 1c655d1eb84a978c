//! Rights that a token carries: channels by name or by pattern, and what may be done there.
//!
//! The claim `caps` is a list of `{"channels": ["chat:*"], "match": "wildcard", "allow": ["sub", "pub"]}`.
//! Without `match` a channel is named whole; with `"wildcard"` each `*` stands for any characters.
//!
//! **Invariant:** what cannot be read grants nothing.
//!
//! **Absent on purpose:** denials and regular expressions. A list of what is allowed can be read at a glance.

use lychgate_protocol::channel::ChannelName;
use serde_json::{Map, Value};

/// The claim that carries grants.
pub const CLAIM: &str = "caps";

/// The most patterns that one token may carry; further ones grant nothing.
pub const PATTERNS_MAX: usize = 256;

/// What somebody may do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Listen.
    Subscribe,
    /// Speak.
    Publish,
}

/// What one token grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Grant {
    channel: String,
    is_pattern: bool,
    subscribe: bool,
    publish: bool,
}

impl Grants {
    /// The grants among a verified token's claims.
    #[must_use]
    pub fn of_claims(claims: &Map<String, Value>) -> Self {
        let Some(Value::Array(caps)) = claims.get(CLAIM) else { return Self::default() };
        Self(caps.iter().flat_map(read).take(PATTERNS_MAX).collect())
    }

    /// Whether one of them allows this.
    #[must_use]
    pub fn allow(&self, verb: Verb, channel: &ChannelName) -> bool {
        self.0.iter().any(|grant| {
            let allows = match verb {
                Verb::Subscribe => grant.subscribe,
                Verb::Publish => grant.publish,
            };
            allows && if grant.is_pattern { matches(&grant.channel, channel) } else { grant.channel == **channel }
        })
    }
}

fn read(cap: &Value) -> Vec<Grant> {
    let is_pattern = match cap.get("match") {
        None => false,
        Some(Value::String(kind)) if kind.is_empty() || kind == "exact" => false,
        Some(Value::String(kind)) if kind == "wildcard" => true,
        Some(_) => return Vec::new(),
    };
    let texts = |key: &str| match cap.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let allow = texts("allow");
    let (subscribe, publish) = (allow.contains(&"sub"), allow.contains(&"pub"));
    let grant = |channel: &str| Grant { channel: channel.to_owned(), is_pattern, subscribe, publish };
    texts("channels").into_iter().map(grant).collect()
}

/// Whether `*` in `pattern` can stand for something that makes it `text`. Takes time in proportion to both lengths
/// multiplied, at the worst.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grants(caps: Value) -> Grants {
        Grants::of_claims(json!({ "caps": caps }).as_object().unwrap())
    }

    fn may(grants: &Grants, verb: Verb, channel: &str) -> bool {
        grants.allow(verb, &channel.parse().unwrap())
    }

    #[test]
    fn only_what_is_written_is_allowed() {
        let some = grants(json!([
            { "channels": ["news", "all"], "allow": ["sub"] },
            { "channels": ["chat:*"], "match": "wildcard", "allow": ["sub", "pub"] },
            { "channels": ["secret*"], "allow": ["sub"] },
        ]));
        for (verb, channel, allowed) in [
            (Verb::Subscribe, "news", true),
            (Verb::Publish, "news", false),
            (Verb::Subscribe, "newsroom", false),
            (Verb::Publish, "chat:5", true),
            (Verb::Subscribe, "chat:", true),
            (Verb::Subscribe, "chat", false),
            (Verb::Subscribe, "xchat:5", false),
            (Verb::Subscribe, "secret7", false),
            (Verb::Subscribe, "secret*", true),
        ] {
            assert_eq!(may(&some, verb, channel), allowed, "{verb:?} {channel}");
        }
    }

    #[test]
    fn what_cannot_be_read_grants_nothing() {
        for caps in [
            json!("chat:*"),
            json!({ "channels": ["a"], "allow": ["sub"] }),
            json!([{ "channels": "a", "allow": ["sub"] }]),
            json!([{ "channels": ["a"], "allow": "sub" }]),
            json!([{ "channels": ["a"], "match": "regex", "allow": ["sub"] }]),
            json!([{ "channels": ["a"], "match": 1, "allow": ["sub"] }]),
            json!([7, null, "a"]),
        ] {
            assert!(!may(&grants(caps.clone()), Verb::Subscribe, "a"), "{caps}");
        }
        assert!(may(&grants(json!([{ "channels": ["a"], "allow": ["sub"] }])), Verb::Subscribe, "a"));
    }

    #[test]
    fn stars_match_anywhere_and_stop_soon() {
        for (pattern, text, matched) in [
            ("*", "x", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("*:*", "a:b", true),
            ("a**b", "ab", true),
            ("ab", "a*", false),
        ] {
            assert_eq!(matches(pattern, text), matched, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)));
    }
}
