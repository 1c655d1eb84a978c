//! Stamping and the error frame, case by case.

use lychgate_protocol::json::{DEPTH_MAX, Kind, NotJson, RawJson, StampRefusal, error_frame, stamp, type_is};

fn stamped(input: &str) -> Result<String, StampRefusal> {
    let mut out = b"before ".to_vec();
    let result = stamp(
        input,
        &[("user", RawJson::string("ada")), ("timestamp", RawJson::float(1.5)), ("requestId", RawJson::NULL)],
        &mut out,
    );
    let out = String::from_utf8(out).expect("UTF-8 in, UTF-8 out");
    let out = out.strip_prefix("before ").expect("what was there stays");
    assert_eq!(result.is_err(), out.is_empty(), "a refusal leaves nothing behind");
    result.map(|()| out.to_owned())
}

#[test]
fn objects_are_stamped() {
    let stamps = r#""user":"ada","timestamp":1.5,"requestId":null"#;
    let table = [
        ("{}", ""),
        (" \t\r\n{ } \n", ""),
        (r#"{"type":"chat"}"#, r#""type":"chat","#),
        (r#" { "type" : "chat" , "n" : 1 } "#, r#""type":"chat","n":1,"#),
        // The client's own, in any spelling and of any type.
        (r#"{"user":"eve"}"#, ""),
        (r#"{"\u0075ser":"eve","a":1}"#, r#""a":1,"#),
        (r#"{"a":1,"\u0075\u0073\u0065\u0072":{"name":"eve"}}"#, r#""a":1,"#),
        (r#"{"us\u0065r":[1,2],"timestamp":0,"requ\u0065stId":"x","b":2}"#, r#""b":2,"#),
        // Near misses stay.
        (r#"{"User":1,"user ":2,"users":3,"\\u0075ser":4}"#, r#""User":1,"user ":2,"users":3,"\\u0075ser":4,"#),
        // Below the top level nothing is touched.
        (r#"{"payload":{"user":"eve","user":"mallory"}}"#, r#""payload":{"user":"eve","user":"mallory"},"#),
        // Byte for byte.
        (
            r#"{"n":1.50,"m":-0,"e":1E+02,"big":123456789012345678901234567890,"x":1e400}"#,
            r#""n":1.50,"m":-0,"e":1E+02,"big":123456789012345678901234567890,"x":1e400,"#,
        ),
        (r#"{"s":"a\u0062\/\n","k\u0065y":"\ud83d\ude00"}"#, r#""s":"a\u0062\/\n","k\u0065y":"\ud83d\ude00","#),
        (r#"{"lone":"\ud800"}"#, r#""lone":"\ud800","#),
        (r#"{"a":[ 1 , { "b" : null } ]}"#, r#""a":[ 1 , { "b" : null } ],"#),
        (r#"{"":0,"é":1,"\n":2}"#, r#""":0,"é":1,"\n":2,"#),
        (r#"{"brackets":"[[[{{{\"]"}"#, r#""brackets":"[[[{{{\"]","#),
    ];
    for (input, members) in table {
        assert_eq!(stamped(input), Ok(format!("{{{members}{stamps}}}")), "{input}");
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let table = [
        ("", 0),
        ("   ", 3),
        ("hello", 0),
        ("{", 1),
        (r#"{"a":x}"#, 5),
        (r#"{"a":1"#, 6),
        (r#"{"a":1,}"#, 7),
        (r#"{a:1}"#, 1),
        (r#"{'a':1}"#, 1),
        (r#"{"a":01}"#, 6),
        (r#"{"a":1} x"#, 8),
        (r#"{"a":1}{}"#, 7),
        ("{\n\"a\": 1,\n\"é\": nope}", 17),
        ("{\"a\":\"\n\"}", 6),
        (r#"{"a":NaN}"#, 5),
        ("[1,", 3),
        ("[1]]", 3),
        ("nul", 3),
        ("\u{feff}{}", 0),
        ("{\"a\":\"\u{0}\"}", 6),
    ];
    for (input, at) in table {
        match stamped(input) {
            Err(StampRefusal::NotJson(NotJson { at: found })) => {
                assert!(found.abs_diff(at) <= 1, "{input:?}: byte {found} instead of about {at}");
            }
            other => panic!("{input:?}: {other:?}"),
        }
    }
    assert_eq!(stamped(r#"{"a":x}"#).expect_err("no JSON").to_string(), "not JSON at byte 5");
}

#[test]
fn a_name_that_no_two_readers_unescape_alike_is_refused() {
    assert_eq!(stamped(r#"{"\ud800":1}"#), Err(StampRefusal::NameNotUnicode));
    assert_eq!(stamped(r#"{"a":1,"\udc00\ud800":1}"#), Err(StampRefusal::NameNotUnicode));
    assert!(stamped(r#"{"\ud83d\ude00":1}"#).is_ok(), "a whole pair");
    assert!(matches!(stamped(r#"{"\ud800":1,}"#), Err(StampRefusal::NotJson(_))), "being JSON is asked first");
}

#[test]
fn what_is_no_object_is_named() {
    let deep = "[".repeat(50_000) + &"]".repeat(50_000);
    let table = [
        ("[]", Kind::Array),
        (r#" [{"user":1}] "#, Kind::Array),
        (&deep, Kind::Array),
        (r#""text""#, Kind::String),
        ("17", Kind::Number),
        ("-1.5e3", Kind::Number),
        ("true", Kind::Boolean),
        ("false", Kind::Boolean),
        ("null", Kind::Null),
    ];
    for (input, kind) in table {
        assert_eq!(stamped(input), Err(StampRefusal::NotAnObject(kind)));
    }
    assert_eq!(stamped("[]").expect_err("no object").to_string(), "JSON, but an array and not an object");
}

#[test]
fn a_name_twice_is_refused_in_any_spelling() {
    let many: Vec<_> = (0..40).map(|n| format!(r#""k{n}":{n}"#)).collect();
    let many = many.join(",");
    assert!(stamped(&format!("{{{many}}}")).is_ok(), "forty names, all different");
    let table = [
        (r#"{"a":1,"a":1}"#.to_owned(), "a"),
        (r#"{"a":1,"b":2,"\u0061":3}"#.to_owned(), "a"),
        (r#"{"user":1,"user":2}"#.to_owned(), "user"),
        (r#"{"user":1,"us\u0065r":2}"#.to_owned(), "user"),
        (r#"{"":1,"":2}"#.to_owned(), ""),
        (format!(r#"{{{many},"k7":0}}"#), "k7"),
        (format!(r#"{{"\u006b39":0,{many}}}"#), "k39"),
    ];
    for (input, name) in table {
        assert_eq!(stamped(&input), Err(StampRefusal::DuplicateName { name: name.into() }), "{input}");
    }
}

#[test]
fn an_error_repeats_little() {
    let name = "é".repeat(10_000);
    let refusal = stamped(&format!(r#"{{"{name}":1,"{name}":2}}"#)).expect_err("a name twice");
    assert_eq!(refusal, StampRefusal::DuplicateName { name: "é".repeat(32) });
    assert!(refusal.to_string().len() < 120);
}

#[test]
fn depth_is_limited() {
    let arrays = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    let objects = |depth: usize| format!(r#"{}1{}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
    for nested in [arrays, objects] {
        assert!(stamped(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(stamped(&nested(DEPTH_MAX + 1)), Err(StampRefusal::TooDeep));
        assert_eq!(stamped(&nested(200_000)), Err(StampRefusal::TooDeep), "no recursion");
    }
    let wide = format!(r#"{{"a":[{}[]]}}"#, "[[]],".repeat(1_000));
    assert!(stamped(&wide).is_ok(), "wide is not deep");
    // The stamp replaces it, yet it was sent.
    assert_eq!(stamped(&arrays(DEPTH_MAX + 1).replace("\"a\"", "\"user\"")), Err(StampRefusal::TooDeep));
}

#[test]
fn stamps_are_escaped() {
    let mut out = Vec::new();
    let value = RawJson::string("\",\"admin\":true,\"\n\u{2028}é");
    stamp("{}", &[("us\"er", value.by_ref()), ("n", RawJson::integer(-7))], &mut out).expect("an object");
    assert_eq!(out, "{\"us\\\"er\":\"\\\",\\\"admin\\\":true,\\\"\\n\u{2028}é\",\"n\":-7}".as_bytes());
    let read: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(read["us\"er"], "\",\"admin\":true,\"\n\u{2028}é");
}

#[test]
fn no_stamps_at_all() {
    let mut out = Vec::new();
    stamp(r#"{ "a" : 1 }"#, &[], &mut out).expect("an object");
    assert_eq!(out, br#"{"a":1}"#);
}

#[test]
fn raw_json_is_json() {
    assert_eq!(RawJson::parse(" {\"a\" : 1} \n").expect("JSON").as_str(), "{\"a\" : 1}");
    assert_eq!(RawJson::parse("1 2"), Err(NotJson { at: 2 }));
    assert_eq!(RawJson::float(1_762_000_000.25).as_str(), "1762000000.25");
    assert_eq!(RawJson::float(f64::NAN), RawJson::NULL);
    assert_eq!(RawJson::float(f64::INFINITY), RawJson::NULL);
    assert_eq!(RawJson::integer(i64::MIN).as_str(), "-9223372036854775808");
}

#[test]
fn the_error_frame() {
    let original = RawJson::parse(r#" {"type":"x", "n":1.50} "#).expect("JSON");
    let table = [
        (
            "Unsupported message type: x",
            Some(&original),
            r#"{"type":"error","payload":{"message":"Unsupported message type: x","original_request":{"type":"x", "n":1.50}}}"#,
        ),
        ("not JSON at byte 0", None, r#"{"type":"error","payload":{"message":"not JSON at byte 0"}}"#),
        (r#"a "quote""#, None, r#"{"type":"error","payload":{"message":"a \"quote\""}}"#),
    ];
    for (message, original, expected) in table {
        let mut out = b"before ".to_vec();
        error_frame(message, original, &mut out);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), format!("before {expected}"));
    }
}

#[test]
fn the_type_is_the_top_levels() {
    let pings =
        [r#"{"type":"ping"}"#, r#" { "a" : [1, {}], "type" : "ping", "b" : null } "#, r#"{"\u0074ype":"ping"}"#];
    let others = [
        "",
        "ping",
        r#""ping""#,
        "{}",
        r#"{"type":"pings"}"#,
        r#"{"type":["ping"]}"#,
        r#"{"payload":{"type":"ping"}}"#,
        r#"{"type":"pong","payload":"ping"}"#,
        r#"{"type":"ping","type":"ping"}"#,
        r#"{"type":"ping"} x"#,
    ];
    for text in pings {
        assert!(type_is(text, "ping"), "{text}");
    }
    for text in others {
        assert!(!type_is(text, "ping"), "{text}");
    }
}
