//! Streams: a text that comes piece by piece from a language model, for whoever may read it.

use std::time::Duration;

use lychgate_service::template::Source;

use super::codec::Template;
use super::section::section;
use super::settings::check_name;
use super::shape::{Choice, MIB, Optional, Size, Text, Time, Words};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

section! {
    /// Where the text of an endpoint of kind `"stream"` comes from. There is one run for each channel, however many watch;
    /// who comes later gets the text so far and then the rest. At the end the socket is closed with `completed` or `upstream`.
    StreamSettings = "endpoint.NAME.stream" {
        /// The NAME of a `[source.NAME]` with an `http://` or `https://` address. Required.
        source: Option<String> = Optional(Text { what: "the NAME of a [source.NAME]", check: check_name }), None;
        /// How it answers: `"ollama"` by lines of JSON, `"openai"` by server-sent events.
        format: StreamFormat = Choice::new(), StreamFormat::Ollama;
        /// What it is asked, as a template over the user, the path's parameters and what the policy's query said as
        /// `resource.NAME`: such as `{ model = "llama3.1:8b", prompt = "{resource.content}", stream = true }`. Required.
        request: Option<Source> = Optional(Template), None;
        /// How long a run goes on that nobody watches any more.
        grace: Duration = Time { least: Duration::ZERO, most: seconds(3_600) }, seconds(10);
        /// How long a whole text is kept for those who come late; with zero they start another run.
        keep: Duration = Time { least: Duration::ZERO, most: seconds(86_400) }, Duration::ZERO;
        /// How long one text may take in all.
        total_timeout: Duration = Time { least: seconds(1), most: seconds(86_400) }, seconds(600);
        /// The longest text. The queue of a socket (`limits.queue_bytes_max`) has to hold it twice.
        text_bytes_max: usize = Size { least: 1024, most: 64 * MIB }, 262_144;
    }
}

/// How a source of text answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// Lines of JSON, as `/api/generate`.
    Ollama,
    /// Server-sent events, as `/v1/chat/completions`.
    OpenAi,
}

impl Words for StreamFormat {
    const ALL: &'static [(&'static str, Self)] = &[("ollama", Self::Ollama), ("openai", Self::OpenAi)];
}
