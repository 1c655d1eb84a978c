//! YAML: one document of tables, lists and scalars.
//!
//! **Absent on purpose:** aliases, since a short text with them can stand for a huge one; and tags.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::node::Node;
use super::read::Fault;

/// How deep values may lie in each other.
const DEPTH_MAX: usize = 64;

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Node, Fault> {
    let mut open: Vec<Open> = Vec::new();
    let mut document = None;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Fault { line: Some(error.marker().line()), text: "this is not YAML".to_owned() })?;
        let fault = |text: &str| Err(Fault { line: Some(span.start.line()), text: text.to_owned() });
        let done = match event {
            Event::DocumentStart(_) if document.is_some() => return fault("there is more than one document"),
            Event::Alias(_) => return fault("aliases (*name) are not read; write out what they stand for"),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Table(Vec::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Some(Node::List(list)),
                Some(Open::Table(entries, _)) => Some(Node::Table(entries)),
                None => None,
            },
            Event::Scalar(text, ..) if matches!(open.last(), Some(Open::Table(_, None))) => {
                Some(Node::Text(text.into_owned()))
            }
            Event::Scalar(text, style, ..) => Some(scalar(&text, style)),
            _ => None,
        };
        if open.len() > DEPTH_MAX {
            return fault("values lie too deep in each other");
        }
        let Some(node) = done else { continue };
        match open.last_mut() {
            None => document = Some(node),
            Some(Open::List(list)) => list.push(node),
            Some(Open::Table(entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let Node::Text(name) = node else { return fault("a key is no text") };
                    if entries.iter().any(|(other, _)| *other == name) {
                        return fault("a key is there twice");
                    }
                    *key = Some(name);
                }
            },
        }
    }
    Ok(document.unwrap_or(Node::Null))
}

/// A value that is not complete yet.
enum Open {
    List(Vec<Node>),
    /// With the key whose value is awaited.
    Table(Vec<(String, Node)>, Option<String>),
}

/// What a scalar is: text in quotes, and without them what it looks like.
fn scalar(text: &str, style: ScalarStyle) -> Node {
    if style != ScalarStyle::Plain {
        return Node::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        // As the language had it before 1.2, and as other readers still have it.
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Node::Flag(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Node::Flag(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Node::Whole(number);
    }
    match text.parse::<f64>() {
        Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') => Node::Number(number),
        _ => Node::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_as_they_are_meant() {
        let text = |text: &str| Node::Text(text.to_owned());
        let entry = |key: &str, node| (key.to_owned(), node);
        let document = "# a comment\nname: chat\nsize: 100\nquoted: \"100\"\non: yes\nempty:\nttl: 10m\nlist:\n  - a\n  - {b: 1}\nmore: |\n  one\n  two\n";
        let expected = Node::Table(vec![
            entry("name", text("chat")),
            entry("size", Node::Whole(100)),
            entry("quoted", text("100")),
            entry("on", Node::Flag(true)),
            entry("empty", Node::Null),
            entry("ttl", text("10m")),
            entry("list", Node::List(vec![text("a"), Node::Table(vec![entry("b", Node::Whole(1))])])),
            entry("more", text("one\ntwo\n")),
        ]);
        assert_eq!(read(document).unwrap(), expected);
        assert_eq!(read("").unwrap(), Node::Null);
    }

    #[test]
    fn what_cannot_be_read_has_its_line() {
        let deep = format!("{}1{}", "[".repeat(80), "]".repeat(80));
        for (document, line, says) in [
            ("a: 1\nb: [1\n", None, "not YAML"),
            ("a: 1\na: 2\n", Some(2), "twice"),
            ("a: &x [1]\nb: *x\n", Some(2), "aliases"),
            ("a: 1\n---\nb: 2\n", Some(2), "more than one"),
            ("[a]: 1\n", Some(1), "no text"),
            (&deep, Some(1), "deep"),
        ] {
            let fault = read(document).unwrap_err();
            assert!(fault.text.contains(says) && fault.line.is_some(), "{document}: {fault:?}");
            assert!(line.is_none() || fault.line == line, "{document}: {fault:?}");
        }
    }
}
