//! Any text: stamped exactly if it is an object that serde_json can read, and every reader sees the server's values.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lychgate_protocol::json::{RawJson, StampRefusal, error_frame, stamp};
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    let Ok(input) = std::str::from_utf8(data) else { return };
    let mut out = b"before".to_vec();
    let result = stamp(input, &[("user", RawJson::string("ada")), ("a", RawJson::integer(7))], &mut out);
    let stamped = out.strip_prefix(b"before").expect("what was there stays");
    let is_json = serde_json::from_str::<&RawValue>(input).is_ok();
    match result {
        Ok(()) => {
            assert!(is_json);
            let stamped = std::str::from_utf8(stamped).expect("UTF-8");
            assert!(serde_json::from_str::<&RawValue>(stamped).is_ok(), "JSON in, JSON out");
            assert!(stamped.len() <= input.len() + 30);
            // A tree cannot hold a lone surrogate or a number such as 1e999; where it can, it sees the stamps.
            if let Ok(tree) = serde_json::from_str::<Value>(stamped) {
                assert_eq!((&tree["user"], &tree["a"]), (&Value::from("ada"), &Value::from(7)));
            }
            // A second pass finds each name once and only replaces its own stamps.
            let mut again = Vec::new();
            stamp(stamped, &[("user", RawJson::string("ada")), ("a", RawJson::integer(7))], &mut again)
                .expect("no name twice");
            assert_eq!(again, stamped.as_bytes());
        }
        Err(StampRefusal::NotJson(fault)) => {
            assert!(!is_json && fault.at <= input.len());
            assert!(stamped.is_empty());
        }
        Err(refusal) => {
            assert!(is_json && stamped.is_empty());
            assert!(refusal.to_string().len() < 512, "an error repeats little");
        }
    }
    if let Ok(original) = RawJson::parse(input) {
        let mut frame = Vec::new();
        error_frame(input, Some(&original), &mut frame);
        serde_json::from_slice::<&RawValue>(&frame).expect("JSON");
    }
});
