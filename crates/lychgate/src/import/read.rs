//! Reading a file in JSON, YAML or TOML, by its name or else by what it looks like.

use std::io::Read as _;
use std::path::Path;

use super::Stopped;
use super::node::Node;
use super::yaml;

/// The largest file that is read.
pub(super) const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a file says.
///
/// # Errors
///
/// [`Stopped`] with a sentence on why it cannot be read, and the line where that is known.
pub(super) fn file(path: &Path) -> Result<Node, Stopped> {
    let shown = path.display();
    let failed = |error: std::io::Error| Stopped::Usage(format!("cannot read {shown}: {error}"));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Stopped::Usage(format!("{shown} is no file")));
    }
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let mib = FILE_BYTES_MAX / 1024 / 1024;
        return Err(Stopped::Usage(format!("{shown} is larger than {mib} MiB; that is no configuration")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Stopped::Usage(format!("{shown} is no text in UTF-8")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let node = match extension.to_ascii_lowercase().as_str() {
        "json" => json(text),
        "yaml" | "yml" => yaml::read(text),
        "toml" => toml(text),
        _ => by_look(text),
    };
    node.map_err(|Fault { line, text }| {
        Stopped::Usage(match line {
            Some(line) => format!("{shown}:{line}: {text}"),
            None => format!("{shown}: {text}"),
        })
    })
}

/// Why a text is none of its language.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: Option<usize>,
    pub(super) text: String,
}

fn json(text: &str) -> Result<Node, Fault> {
    serde_json::from_str(text).map_err(|error| {
        // What the library says of a value could hold a part of it.
        let text = if error.is_data() { "a key is there twice" } else { "this is not JSON" };
        Fault { line: Some(error.line()).filter(|line| *line > 0), text: text.to_owned() }
    })
}

fn toml(text: &str) -> Result<Node, Fault> {
    let table: ::toml::Table = ::toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Fault { line, text: "this is not TOML, or a key is there twice".to_owned() }
    })?;
    Ok(of_toml(::toml::Value::Table(table)))
}

fn of_toml(value: ::toml::Value) -> Node {
    match value {
        ::toml::Value::String(text) => Node::Text(text),
        ::toml::Value::Integer(number) => Node::Whole(number),
        ::toml::Value::Float(number) => Node::Number(number),
        ::toml::Value::Boolean(flag) => Node::Flag(flag),
        ::toml::Value::Datetime(time) => Node::Text(time.to_string()),
        ::toml::Value::Array(list) => Node::List(list.into_iter().map(of_toml).collect()),
        ::toml::Value::Table(table) => {
            Node::Table(table.into_iter().map(|(key, value)| (key, of_toml(value))).collect())
        }
    }
}

fn by_look(text: &str) -> Result<Node, Fault> {
    if text.trim_start().starts_with('{') {
        return json(text);
    }
    toml(text)
        .or_else(|_| yaml::read(text))
        .map_err(|fault| Fault { text: format!("this is neither JSON nor TOML nor YAML ({})", fault.text), ..fault })
}
