//! Templates as TOML: tables and lists become JSON, in the order in which they are written.

use lychgate_service::template::Source;

use super::super::shape::{Report, Shape, quote};
use super::super::tree::{self, Node, Value};

/// One template.
pub(in crate::config) struct Template;

/// What a key that takes a template says of it in the reference.
const WHAT: &str = "template";

impl Shape for Template {
    type Value = Source;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Source> {
        let parsed;
        let node = match &node.value {
            Value::Variable(text) => {
                parsed = tree::parse_variable(text, &node.place);
                let Some(parsed) = &parsed else {
                    let remedy = "Write it as in a file, for example { type = \"error\" }";
                    return report.wrong(node, "this is no TOML value", remedy);
                };
                parsed
            }
            _ => node,
        };
        source(node, report)
    }

    fn show(&self, value: &Source) -> Option<String> {
        Some(show(value))
    }

    fn describe(&self) -> String {
        WHAT.to_owned()
    }
}

fn source(node: &Node, report: &mut Report<'_>) -> Option<Source> {
    Some(match &node.value {
        Value::Text(text) | Value::Variable(text) => Source::Text(text.clone()),
        Value::Integer(number) => Source::Integer(*number),
        Value::Fraction(number) => Source::Float(*number),
        Value::Boolean(boolean) => Source::Boolean(*boolean),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| source(item, report)).collect();
            Source::List(items.into_iter().collect::<Option<_>>()?)
        }
        Value::Table(table) => {
            let members: Vec<_> =
                table.0.iter().map(|(key, node)| Some((key.clone(), source(node, report)?))).collect();
            Source::Object(members.into_iter().collect::<Option<_>>()?)
        }
        Value::Other(kind) => {
            return report.wrong(node, format!("a template cannot hold {kind}"), "Write it in quotes, as text");
        }
    })
}

fn show(source: &Source) -> String {
    match source {
        // TOML has no null; the expression for it is the same.
        Source::Null => quote("{none}"),
        Source::Boolean(boolean) => boolean.to_string(),
        Source::Integer(number) => number.to_string(),
        Source::Float(number) => toml::Value::Float(*number).to_string(),
        Source::Text(text) => quote(text),
        Source::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Source::Object(members) => {
            inline(members.iter().map(|(key, value)| format!("{} = {}", show_key(key), show(value))))
        }
    }
}

/// A table on one line.
pub(super) fn inline(members: impl Iterator<Item = String>) -> String {
    let members: Vec<_> = members.collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
}

pub(super) fn show_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { quote(key) }
}

/// One template, or a list of them: what a list holds is then each a frame of its own.
pub(super) struct Templates;

impl Shape for Templates {
    type Value = Vec<Source>;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Vec<Source>> {
        match Template.read(node, report)? {
            Source::List(items) => Some(items),
            one => Some(vec![one]),
        }
    }

    fn show(&self, value: &Vec<Source>) -> Option<String> {
        Some(show(&Source::List(value.clone())))
    }

    fn describe(&self) -> String {
        format!("{WHAT}, or a list of them")
    }
}
