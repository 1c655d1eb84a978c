//! What strangers send: it is refused, or it stays what it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene has failed")]

use std::collections::BTreeMap;

use lychgate_service::codec::{Codec, CodecSettings, Heard, Refusal, RuleSettings, Unknown};
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::principal::Principal;
use lychgate_service::template::{
    INBOUND_DEPTH_MAX, Inbound, InboundFault, Names, RenderFault, Scope, Source, Template,
};
use proptest::prelude::*;

const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

fn codec() -> Codec {
    let send = r#"{"type":"x","data":"{in.data}","text":"<{in.text|default('-')}>"}"#;
    let rule = RuleSettings { send: Some(Source::from_json(send).unwrap()), ..RuleSettings::default() };
    let settings = CodecSettings { rules: BTreeMap::from([("x".to_owned(), rule)]), ..CodecSettings::default() };
    Codec::compile(&settings, &Names::none()).unwrap()
}

fn eve() -> Principal {
    Principal::from_verified_subject("eve", None)
}

fn heard(text: &str) -> Result<String, Refusal> {
    match codec().hear(text, &eve()) {
        Heard::Say { rule, inbound } => {
            let mut out = Vec::new();
            rule.send().unwrap().render(&Scope::new(&eve(), NOW).inbound(&inbound), 1 << 20, &mut out).unwrap();
            Ok(String::from_utf8(out).unwrap())
        }
        Heard::Refused(refused) => Err(refused.why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_one_object_is_refused() {
    assert_eq!(heard(r#"{"type":"x","data":1}"#).unwrap(), r#"{"type":"x","data":1,"text":"<->"}"#);
    for text in [
        "",
        " ",
        "{",
        "[1]",
        "\"x\"",
        "null",
        "nope",
        "1",
        "{}{}",
        r#"{"type":"x",}"#,
        r#"{"type":"x"} x"#,
        "{\"type\":\"x\",\"data\":\"\u{1}\"}",
        r#"{"type":"x","data":01}"#,
        r#"{"type":"x","data":NaN}"#,
        r#"{'type':'x'}"#,
        "\u{feff}{\"type\":\"x\"}",
    ] {
        assert_eq!(heard(text), Err(Refusal::BadJson), "{text:?}");
    }
}

#[test]
fn names_that_occur_twice_are_refused_at_every_level() {
    for text in [
        r#"{"type":"x","type":"y"}"#,
        r#"{"type":"x","ty\u0070e":"y"}"#,
        r#"{"type":"x","data":{"a":1,"a":2}}"#,
        r#"{"type":"x","data":[[{"b":{"a":1,"\u0061":2}}]]}"#,
        r#"{"type":"x","a":{"":1,"":2}}"#,
    ] {
        assert!(matches!(Inbound::parse(text), Err(InboundFault::DuplicateName { .. })), "{text}");
    }
    let many = |last: &str| {
        let members: Vec<_> = (0..100).map(|n| format!("\"k{n}\":0")).collect();
        format!("{{{},\"{last}\":1}}", members.join(","))
    };
    assert!(matches!(Inbound::parse(many("k50")), Err(InboundFault::DuplicateName { name }) if name == "k50"));
    Inbound::parse(many("k100")).unwrap();
    // The same name on two levels is no duplicate.
    Inbound::parse(r#"{"a":{"a":[{"a":1},{"a":2}]}}"#).unwrap();
}

#[test]
fn depth_has_an_end() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    Inbound::parse(nested(INBOUND_DEPTH_MAX)).unwrap();
    assert_eq!(Inbound::parse(nested(INBOUND_DEPTH_MAX + 1)).unwrap_err(), InboundFault::TooDeep);
    assert_eq!(Inbound::parse(nested(100_000)).unwrap_err(), InboundFault::TooDeep);
    assert_eq!(
        Inbound::parse(format!("{{\"a\":{}", "[".repeat(100_000))).err().map(|fault| fault.to_string().is_empty()),
        Some(false)
    );
}

#[test]
fn half_a_surrogate_pair_is_refused_and_a_whole_one_passes() {
    for text in [
        r#"{"type":"x","data":"\ud800"}"#,
        r#"{"type":"x","data":{"\udfff":1}}"#,
        r#"{"type":"x","data":["\ud83d\u0041"]}"#,
    ] {
        assert_eq!(Inbound::parse(text).unwrap_err(), InboundFault::NotUnicode, "{text}");
    }
    let whole = r#"{"type":"x","data":"\ud83d\ude00"}"#;
    assert_eq!(heard(whole).unwrap(), r#"{"type":"x","data":"\ud83d\ude00","text":"<->"}"#);
}

#[test]
fn numbers_keep_their_spelling() {
    for number in [
        "1.50",
        "-0",
        "-0.0",
        "1e400",
        "1E+2",
        "9007199254740993",
        "123456789012345678901234567890123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
    ] {
        let text = format!(r#"{{"n":{number},"l":[{number} , 1]}}"#);
        let inbound = Inbound::parse(text.as_str()).unwrap();
        let source = Source::from_json(r#"["{in.n}","<{in.n}>","{in.l}"]"#).unwrap();
        let template = Template::compile(&source, &Names::none().open("in")).unwrap();
        let rendered = template.rendered(&Scope::new(&eve(), NOW).inbound(&inbound), 1_000).unwrap();
        assert_eq!(rendered.as_str(), format!(r#"[{number},"<{number}>",[{number} , 1]]"#));
    }
}

#[test]
fn what_a_client_writes_is_never_a_template() {
    for words in [
        "{user.name}",
        "{{user.name}}",
        "{% raw %}",
        "{in.data}",
        "{7*7}",
        "${jndi}",
        "}{",
        "\\\"},\\\"admin\\\":true",
        "__proto__",
        "\\u007buser.id\\u007d",
    ] {
        let text = format!(r#"{{"type":"x","data":"{words}","text":"{words}"}}"#);
        let out = heard(&text).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
        let meant: String = serde_json::from_str(&format!("\"{words}\"")).unwrap();
        assert_eq!(parsed, serde_json::json!({"type": "x", "data": meant, "text": format!("<{meant}>")}));
    }
    let proto = r#"{"type":"x","__proto__":{"data":"evil"},"constructor":1,"data":{"__proto__":1}}"#;
    assert_eq!(heard(proto).unwrap(), r#"{"type":"x","data":{"__proto__":1},"text":"<->"}"#);
}

#[test]
fn a_type_that_is_no_text_is_a_bad_shape() {
    for text in [r#"{}"#, r#"{"type":1}"#, r#"{"type":null}"#, r#"{"type":["x"]}"#, r#"{"Type":"x"}"#] {
        assert_eq!(heard(text), Err(Refusal::BadShape), "{text}");
    }
    assert_eq!(heard(r#"{"type":"X"}"#), Err(Refusal::UnknownType));
    assert_eq!(heard(r#"{"type":""}"#), Err(Refusal::UnknownType));
    assert!(heard(r#"{"\u0074ype":"\u0078"}"#).is_ok());
}

#[test]
fn a_refusal_repeats_little_of_what_was_sent() {
    let long = "x".repeat(10_000);
    let (codec, eve) = (codec(), eve());
    let text = format!(r#"{{"type":"{long}"}}"#);
    let Heard::Refused(refused) = codec.hear(&text, &eve) else { panic!("it is refused") };
    assert!(refused.message.len() < 100, "{}", refused.message);
    let mut out = Vec::new();
    codec.refusal_frame(&refused, Scope::new(&eve, NOW), 1_000, &mut out).unwrap();
    assert!(out.len() < 1_000, "{}", out.len());
}

#[test]
fn what_passes_through_is_not_touched() {
    let settings = CodecSettings { unknown: Some(Unknown::Publish), ..CodecSettings::default() };
    let codec = Codec::compile(
        &CodecSettings { rules: BTreeMap::from([("known".to_owned(), RuleSettings::default())]), ..settings },
        &Names::none(),
    )
    .unwrap();
    for text in [r#"{"n":1.50, "type":"other"}"#, r#" {"type":7,"e":1e400}"#, "{}"] {
        assert!(matches!(codec.hear(text, &eve()), Heard::Publish(same) if same == text), "{text}");
    }
}

#[test]
fn a_template_writes_no_more_than_it_may() {
    let template = Template::compile(&Source::from("{in.data}{in.data}"), &Names::none().open("in")).unwrap();
    let text = format!(r#"{{"data":"{}"}}"#, "\u{1f600}\\n".repeat(100));
    let inbound = Inbound::parse(text.as_str()).unwrap();
    let eve = eve();
    let scope = Scope::new(&eve, NOW).inbound(&inbound);
    let mut out = b"before".to_vec();
    template.render(&scope, 10_000, &mut out).unwrap();
    let whole = out.len() - 6;
    out.truncate(6);
    assert_eq!(template.render(&scope, whole - 1, &mut out), Err(RenderFault::TooLarge { bytes_max: whole - 1 }));
    assert_eq!(out, b"before");
    template.render(&scope, whole, &mut out).unwrap();
}

/// Any JSON value, with texts that look like templates among them.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof!["\\PC{0,12}", Just("{user.id}".to_owned()), Just("\"}},{{".to_owned())];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        // Of these serde_json, by which the test reads, gets every one right.
        any::<i32>().prop_map(|n| serde_json::Value::from(f64::from(n) / 4.0)),
        text.clone().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_goes_through_as_it_came(data in value(), pretty in any::<bool>()) {
        let whole = serde_json::json!({"type": "x", "data": data});
        let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
        let out = heard(&text).unwrap();
        let back: serde_json::Value = serde_json::from_str(&out).unwrap();
        prop_assert_eq!(&back["data"], &data);
        prop_assert_eq!(back.as_object().unwrap().len(), 3);
    }

    /// The engine's way with values gives the same as copying them.
    #[test]
    fn an_expression_gives_what_the_name_gives(data in value()) {
        let names = Names::none().open("in");
        let text = serde_json::json!({"data": data}).to_string();
        let inbound = Inbound::parse(text.as_str()).unwrap();
        let eve = eve();
        let scope = Scope::new(&eve, NOW).inbound(&inbound);
        let render = |source: &str| {
            let mut out = Vec::new();
            Template::compile(&Source::from(source), &names).unwrap().render(&scope, 1 << 20, &mut out).unwrap();
            serde_json::from_slice::<serde_json::Value>(&out).unwrap()
        };
        prop_assert_eq!(render("{in.data}"), data.clone());
        prop_assert_eq!(render("{in.data if true else in.data}"), data);
    }

    /// Cut or changed anywhere, a frame is refused or is still what serde_json reads.
    #[test]
    fn no_text_is_read_differently(data in value(), at in any::<prop::sample::Index>(), byte in 0x20_u8..0x7f) {
        let mut text = serde_json::json!({"data": data, "x": [1, {"y": "\\\"\u{e9}"}]}).to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let Ok(text) = String::from_utf8(text) else { return Ok(()) };
        let read = match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(read) => read,
            // It is JSON, but its tree has no such number.
            Err(error) if error.to_string().contains("out of range") => return Ok(()),
            Err(_) => {
                prop_assert!(Inbound::parse(text.as_str()).is_err(), "{}", text);
                return Ok(());
            }
        };
        if let Ok(inbound) = Inbound::parse(text.as_str()) {
            let whole = serde_json::from_str::<serde_json::Value>(inbound.root().raw()).unwrap();
            prop_assert_eq!(&whole, &read);
            for (key, value) in whole.as_object().unwrap() {
                let part = inbound.get(&[key]).unwrap();
                prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(part.raw()).unwrap(), value);
            }
        }
    }
}
