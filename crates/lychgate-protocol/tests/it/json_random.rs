//! Random objects, stamped: what any reader sees.

use std::cell::Cell;
use std::fmt;

use lychgate_protocol::json::{RawJson, StampRefusal, stamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::support::runner;

const CASES: u32 = 500;

#[test]
fn every_reader_sees_the_servers_values_and_the_clients_bytes() {
    let (total, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    runner(CASES)
        .run(&(object(), text()), |(members, user)| {
            total.set(total.get() + 1);
            let input = text_of(&members);
            let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
            let has_duplicate = (1..names.len()).any(|at| names[..at].contains(&names[at]));
            let mut out = Vec::new();
            let result = stamp(&input, &[("user", RawJson::string(&user)), ("n", RawJson::integer(7))], &mut out);
            if has_duplicate {
                refused.set(refused.get() + 1);
                prop_assert!(matches!(result, Err(StampRefusal::DuplicateName { .. })), "{result:?} for {input}");
                prop_assert!(out.is_empty());
                return Ok(());
            }
            prop_assert!(result.is_ok(), "{result:?} for {input}");
            let out = String::from_utf8(out).expect("UTF-8");
            let read = read(&out);
            // A reader that keeps the first, a reader that keeps the last, and serde_json itself.
            let first = |name: &str| read.iter().find(|(found, _)| found == name).map(|(_, value)| *value);
            let last = |name: &str| read.iter().rfind(|(found, _)| found == name).map(|(_, value)| *value);
            let value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
            let user_json = serde_json::to_string(&user).expect("a string");
            prop_assert_eq!(first("user"), Some(&user_json[..]));
            prop_assert_eq!(last("user"), Some(&user_json[..]));
            prop_assert_eq!(&value["user"], &user);
            prop_assert_eq!((first("n"), last("n")), (Some("7"), Some("7")));
            for member in members.iter().filter(|member| !["user", "n"].contains(&&member.name[..])) {
                prop_assert_eq!(first(&member.name), Some(&member.value[..]), "byte for byte");
                prop_assert_eq!(last(&member.name), Some(&member.value[..]), "byte for byte");
            }
            let untouched = names.iter().filter(|name| !["user", "n"].contains(&&name[..])).count();
            prop_assert_eq!(read.len(), untouched + 2, "nothing else came in");
            prop_assert!(out.len() <= input.len() + user_json.len() + 20);
            Ok(())
        })
        .expect("the stamp holds");
    let (total, refused) = (total.get(), refused.get());
    println!("{refused} of {total} objects had a name twice");
    assert!(refused * 100 >= total * 10, "only {refused} of {total} objects had a name twice");
}

#[test]
fn any_text_is_stamped_or_refused_as_serde_json_reads_it() {
    let near_json = prop_oneof![text(), pattern(r#"[\[\]{}":,\\ua0-9.eE+\- ]{0,40}"#), object_with_damage()];
    runner(CASES)
        .run(&near_json, |input| {
            let mut out = Vec::new();
            let result = stamp(&input, &[("user", RawJson::NULL)], &mut out);
            let is_json = serde_json::from_str::<&RawValue>(&input).is_ok();
            match &result {
                Ok(()) => {
                    let text = str::from_utf8(&out).expect("UTF-8");
                    prop_assert!(is_json && serde_json::from_str::<&RawValue>(text).is_ok(), "{input}");
                }
                Err(StampRefusal::NotJson(fault)) => {
                    prop_assert!(!is_json, "{input}");
                    prop_assert!(fault.at <= input.len());
                }
                Err(_) => prop_assert!(is_json, "{input}: {result:?}"),
            }
            Ok(())
        })
        .expect("the stamp holds");
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    /// The name as the client spells it, with quotes.
    spelled: String,
    value: String,
}

fn text_of(members: &[Member]) -> String {
    let members: Vec<_> = members.iter().map(|member| format!(" {} : {} ", member.spelled, member.value)).collect();
    format!("{{{}}}", members.join(","))
}

fn object() -> impl Strategy<Value = Vec<Member>> {
    prop_oneof![9 => vec(member(), 0..8), 1 => vec(member(), 15..24)]
}

fn member() -> impl Strategy<Value = Member> {
    let name = prop_oneof![
        2 => Just("user".to_owned()),
        2 => Just("n".to_owned()),
        2 => pattern("[ab]{1,3}"),
        7 => pattern("[a-z]{3,9}"),
        3 => vec(any::<char>(), 0..5).prop_map(String::from_iter),
    ];
    (name, vec(any::<bool>(), 8), value()).prop_map(|(name, escapes, value)| {
        let spelled = spell(&name, &escapes);
        Member { name, spelled, value }
    })
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..24).prop_map(String::from_iter)
}

/// A pattern compiled once; a bare `&str` as a strategy would compile it for every value.
fn pattern(pattern: &str) -> RegexGeneratorStrategy<String> {
    string_regex(pattern).expect("a good pattern")
}

fn object_with_damage() -> impl Strategy<Value = String> {
    (object(), any::<prop::sample::Index>(), pattern("[\\[\\]{}\":,\\\\0a ]?")).prop_map(
        |(members, at, replacement)| {
            let mut text: Vec<char> = text_of(&members).chars().collect();
            let at = at.index(text.len());
            text.splice(at..=at, replacement.chars());
            String::from_iter(text)
        },
    )
}

fn value() -> impl Strategy<Value = String> {
    let number = pattern(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?");
    let leaf = prop_oneof![
        3 => number,
        2 => text().prop_map(|text| serde_json::to_string(&text).expect("a string")),
        1 => Just(r#""\u0061\/""#.to_owned()),
        1 => Just("null".to_owned()),
        1 => Just("true".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[ {}]", values.join(" ,"))),
            inner.prop_map(|value| format!(r#"{{"user": {value}}}"#)),
        ]
    })
}

/// Writes a name as JSON with some characters as `\uXXXX`.
fn spell(name: &str, escapes: &[bool]) -> String {
    let mut spelled = String::from("\"");
    for (character, escape) in name.chars().zip(escapes.iter().cycle()) {
        if *escape || character < ' ' || character == '"' || character == '\\' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                spelled.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            spelled.push(character);
        }
    }
    spelled + "\""
}

/// All members of an object in order, twice the same name too: names unescaped, values as they stand.
fn read(json: &str) -> Vec<(String, &str)> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de str)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                members.push((name, value.get()));
            }
            Ok(members)
        }
    }

    serde_json::Deserializer::from_str(json).deserialize_map(Members).expect("an object")
}
