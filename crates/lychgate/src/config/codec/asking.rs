//! The key `ask`: whom a frame asks for a text, what, and how the answer looks.

use std::time::Duration;

use lychgate_service::template::Source;

use super::super::settings::check_name;
use super::super::shape::{Choice, MIB, Optional, Report, Shape, Size, Text, Time, quote};
use super::super::stream::StreamFormat;
use super::super::tree::Node;
use super::tables::read;
use super::template::{Template, inline};

/// Whom a frame asks, what, and how the answer looks.
#[derive(Clone, Debug, PartialEq)]
pub struct AskSettings {
    /// The name of the source.
    pub source: String,
    /// How it answers.
    pub format: StreamFormat,
    /// What it is asked.
    pub request: Source,
    /// The frame around one piece.
    pub chunk: Option<Source>,
    /// What follows the last piece.
    pub done: Option<Source>,
    /// How long one answer may take.
    pub total_timeout: Duration,
    /// The longest answer.
    pub text_bytes_max: usize,
}

const EXAMPLE: &str = "{ source = \"model\", request = { model = \"llama3.1:8b\", prompt = \"{in.text}\", stream = true }, chunk = { type = \"token\", text = \"{chunk}\" } }";

const SOURCE: Text = Text { what: "the NAME of a [source.NAME]", check: check_name };
const TOTAL: Time = Time { least: Duration::from_secs(1), most: Duration::from_secs(3_600) };
const LONGEST: Size = Size { least: 1024, most: 64 * MIB };

/// What is not written.
const TOTAL_DEFAULT: Duration = Duration::from_secs(120);
const LONGEST_DEFAULT: usize = 262_144;

pub(super) struct Asking;

impl Shape for Asking {
    type Value = AskSettings;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<AskSettings> {
        read(node, report, EXAMPLE, |keys| {
            let source = keys.setting("source", &Optional(SOURCE), None);
            let format = keys.setting("format", &Choice::new(), StreamFormat::Ollama);
            let request = keys.setting("request", &Optional(Template), None);
            let chunk = keys.setting("chunk", &Optional(Template), None);
            let done = keys.setting("done", &Optional(Template), None);
            let total_timeout = keys.setting("total_timeout", &TOTAL, TOTAL_DEFAULT);
            let text_bytes_max = keys.setting("text_bytes_max", &LONGEST, LONGEST_DEFAULT);
            Some(AskSettings { source: source?, format, request: request?, chunk, done, total_timeout, text_bytes_max })
        })
    }

    fn show(&self, value: &AskSettings) -> Option<String> {
        let template = |key: &str, value: Option<&Source>| Some(format!("{key} = {}", Template.show(value?)?));
        let keys = [
            Some(format!("source = {}", quote(&value.source))),
            Choice::new().show(&value.format).map(|format| format!("format = {format}")),
            template("request", Some(&value.request)),
            template("chunk", value.chunk.as_ref()),
            template("done", value.done.as_ref()),
            TOTAL.show(&value.total_timeout).map(|time| format!("total_timeout = {time}")),
            LONGEST.show(&value.text_bytes_max).map(|size| format!("text_bytes_max = {size}")),
        ];
        Some(inline(keys.into_iter().flatten()))
    }

    fn describe(&self) -> String {
        "{ source = \"NAME\", format = \"ollama\", request = template, chunk = template, done = template, \
         total_timeout = \"2m\", text_bytes_max = \"256KiB\" }"
            .to_owned()
    }
}
