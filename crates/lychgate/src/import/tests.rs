//! Every key that is known ends somewhere, and no namespace opens more than it did.

mod closed;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::keys::{self, Fate};
use super::keys_v5;
use super::node::Node;
use super::{Group, Imported, Stopped, picture, take};

/// What comes of a configuration that is given as JSON.
fn import(file: &Value) -> Result<Imported, Stopped> {
    let node: Node = serde_json::from_str(&file.to_string()).unwrap();
    take(picture::Picture::of(node).map_err(Stopped::Usage)?, std::path::Path::new("test.json"))
}

/// A value at a path such as `a.b[].c`, with as many tables around it.
fn at(path: &str, value: Value) -> Value {
    match path.split_once('.') {
        None => json!({ path: value }),
        Some((first, rest)) => match first.strip_suffix("[]") {
            Some(first) => {
                let mut item = at(rest, value);
                if item.get("name").is_none() {
                    item["name"] = json!("chat");
                }
                json!({ first: [item] })
            }
            None => json!({ first: at(rest, value) }),
        },
    }
}

/// Lays one table over another.
fn over(file: &mut Value, more: Value) {
    match (file, more) {
        (Value::Object(file), Value::Object(more)) => {
            for (key, value) in more {
                over(file.entry(key).or_insert(Value::Null), value);
            }
        }
        (file, more) => *file = more,
    }
}

/// Some value that the key can have, and what comes of it.
fn import_with(version: u8, path: &str) -> Imported {
    let values =
        [json!(true), json!(7), json!("10s"), json!(["a"]), json!("http://127.0.0.1:1/x"), json!([{ "name": "a" }])];
    for value in values {
        let mut file = if version == 5 { json!({ "token_hmac_secret_key": "x" }) } else { json!({ "client": {} }) };
        over(&mut file, at(path, value));
        match import(&file) {
            Ok(imported) => return imported,
            Err(Stopped::Faults(_)) => {}
            Err(Stopped::Usage(fault)) => panic!("{path}: {fault}"),
        }
    }
    panic!("{path}: no value was taken");
}

/// How a key ends: in ours, or in a note of this group.
fn end(imported: &Imported, ends_with: &str) -> Option<Option<Group>> {
    let is_it = |key: &String| {
        key.ends_with(ends_with) || key.contains(&format!("{ends_with}[")) || key.contains(&format!("{ends_with}."))
    };
    let noted = imported.notes.iter().find(|note| is_it(&note.key)).map(|note| Some(note.group));
    noted.or_else(|| imported.carried.iter().any(is_it).then_some(None))
}

/// A path of a row that can be written down; what is below a section gets a name.
fn written(row: &str) -> String {
    let row = row.strip_prefix("proxy.").map_or_else(|| row.to_owned(), |rest| format!("proxies[].{rest}"));
    row.strip_suffix(".*").map_or(row.clone(), |row| format!("{row}.anything"))
}

#[test]
fn every_key_of_version_6_ends_as_its_row_says() {
    let options = keys::OPTIONS.iter().flat_map(|(option, fate)| {
        ["channel.namespaces[]", "channel.without_namespace"].map(|place| (format!("{place}.{option}"), *fate))
    });
    let rows = keys::ROWS.iter().map(|(row, fate)| ((*row).to_owned(), *fate)).chain(options);
    let mut seen = BTreeSet::new();
    for (row, fate) in rows {
        assert!(seen.insert(row.clone()), "{row} is there twice");
        // Rows of other tables, and the one that names the table.
        if ["channel.without_namespace.*", "channel.namespaces[].*"].contains(&row.as_str()) {
            continue;
        }
        let path = written(&row);
        let imported = import_with(6, &path);
        let last = path.rsplit('.').next().unwrap();
        match (fate, end(&imported, last)) {
            (Fate::Gone(_), Some(Some(Group::Gone))) => {}
            (Fate::Here, Some(_)) => assert_ne!(end(&imported, last), Some(Some(Group::Unknown)), "{row}"),
            (fate, end) => panic!("{row}: {fate:?} ends as {end:?}"),
        }
    }
}

#[test]
fn every_key_of_version_5_has_a_row_in_version_6() {
    let mut seen = BTreeSet::new();
    for (key, path) in keys_v5::ROWS {
        assert!(seen.insert(*key), "{key} is there twice");
        // Some are sections.
        assert!(
            keys::fate(path).is_some()
                || keys::is_section(path)
                || keys::fate(&format!("{path}.x")).is_some()
                || keys::fate(&format!("{path}[]")).is_some(),
            "{key}: {path}"
        );
        let imported = import_with(5, key);
        assert_ne!(end(&imported, key), Some(Some(Group::Unknown)), "{key}");
        assert!(end(&imported, key).is_some(), "{key}");
    }
    for key in keys_v5::OPTIONS.iter().chain(keys_v5::RENAMED.iter().map(|(key, _)| key)) {
        for path in [(*key).to_owned(), format!("namespaces[].{key}")] {
            let imported = import_with(5, &path);
            assert!(!matches!(end(&imported, key), None | Some(Some(Group::Unknown))), "{path}");
        }
    }
}

#[test]
fn a_key_that_nobody_knows_is_named() {
    for (file, key) in [
        (json!({ "client": { "tokne": 1 } }), "client.tokne"),
        (json!({ "client": {}, "surprise": { "of": [{ "a": 1 }] } }), "surprise.of[0].a"),
        (
            json!({ "channel": { "namespaces": [{ "name": "chat", "history_sise": 1 }] } }),
            "channel.namespaces[chat].history_sise",
        ),
        (json!({ "token_hmac_secret_key": "x", "histroy_size": 1 }), "histroy_size"),
        (json!({ "namespaces": [{ "name": "chat", "publish": true }] }), "namespaces[chat].publish"),
        (json!({ "client": {}, "a\nb\u{1b}[2J": 1 }), "a\u{fffd}b\u{fffd}[2J"),
    ] {
        let imported = import(&file).unwrap();
        let unknown: Vec<&str> =
            imported.notes.iter().filter(|note| note.group == Group::Unknown).map(|note| &*note.key).collect();
        assert_eq!(unknown, [key]);
        assert!(!imported.text.contains('\u{1b}'), "{}", imported.text);
    }
}
