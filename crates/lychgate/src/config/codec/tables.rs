//! Keys whose value is a small table: what is said and to whom, how often, how long, whom it names.

use std::time::Duration;

use lychgate_service::codec::{Announcement, MaxChars, MentionSettings, PingSettings, RateSettings, ToSettings};

use super::super::fault::Faults;
use super::super::section::{Places, Reader};
use super::super::shape::{Count, Optional, Report, Shape, Text, Time, cite, quote};
use super::super::tree::{self, Node, Value};
use super::template::{Template, inline, show_key};
use super::{any_text, path_into_a_frame};

/// Reads the keys of a small table, and reports which of them nobody knows.
pub(super) fn read<T>(
    node: &Node,
    report: &mut Report<'_>,
    example: &str,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Option<T> {
    let parsed;
    let node = match &node.value {
        Value::Variable(text) => {
            parsed = tree::parse_variable(text, &node.place);
            parsed.as_ref().unwrap_or(node)
        }
        _ => node,
    };
    let Value::Table(_) = node.value else {
        return report.wrong(
            node,
            format!("expected a table, found {}", node.value.kind()),
            format!("Write for example {example}"),
        );
    };
    let mut own = Faults::default();
    let mut places = Places::new();
    let mut reader = Reader::new(report.key, Some(node.clone()), &mut own, &mut places);
    let value = read(&mut reader);
    reader.finish();
    let complete = own.is_empty();
    for fault in own.iter() {
        report.faults.add(fault.place.clone(), &fault.key, &fault.wrong, &fault.remedy);
    }
    if complete && value.is_none() {
        return report.wrong(node, "a key is missing", format!("Write for example {example}"));
    }
    value
}

/// Who gets a frame.
pub(super) struct To;

impl Shape for To {
    type Value = ToSettings;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<ToSettings> {
        let remedy = "Write \"all\", \"others\", \"self\" or \"channel:NAME\"";
        let (Value::Text(text) | Value::Variable(text)) = &node.value else {
            return report.wrong(node, format!("expected text, found {}", node.value.kind()), remedy);
        };
        match (text.as_str(), text.strip_prefix("channel:")) {
            ("all", _) => Some(ToSettings::All),
            ("others", _) => Some(ToSettings::Others),
            ("self", _) => Some(ToSettings::Sender),
            (_, Some(name)) if !name.is_empty() => Some(ToSettings::Channel(name.to_owned())),
            _ => report.wrong(node, format!("{} is nobody", cite(text)), remedy),
        }
    }

    fn show(&self, value: &ToSettings) -> Option<String> {
        Some(match value {
            ToSettings::All => quote("all"),
            ToSettings::Others => quote("others"),
            ToSettings::Sender => quote("self"),
            ToSettings::Channel(name) => quote(&format!("channel:{name}")),
        })
    }

    fn describe(&self) -> String {
        "\"all\", \"others\", \"self\" or \"channel:NAME\"".to_owned()
    }
}

/// What is said when somebody comes or goes.
pub(super) struct Announcing;

impl Shape for Announcing {
    type Value = Announcement;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Announcement> {
        read(node, report, "{ send = { type = \"joined\", user = \"{user.id}\" }, to = \"others\" }", |keys| {
            let send = keys.setting("send", &Optional(Template), None);
            let to = keys.setting("to", &To, ToSettings::All);
            Some(Announcement { send: send?, to })
        })
    }

    fn show(&self, value: &Announcement) -> Option<String> {
        let send = format!("send = {}", Template.show(&value.send)?);
        let to = format!("to = {}", To.show(&value.to)?);
        Some(inline([send, to].into_iter()))
    }

    fn describe(&self) -> String {
        "{ send = template, to = \"…\" }".to_owned()
    }
}

/// What is said time and again.
pub(super) struct Pinging;

const PING_EVERY: Time = Time { least: Duration::from_secs(1), most: Duration::from_secs(3_600) };

impl Shape for Pinging {
    type Value = PingSettings;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<PingSettings> {
        read(node, report, "{ send = { type = \"ping\" }, every = \"30s\" }", |keys| {
            let send = keys.setting("send", &Optional(Template), None);
            let every = keys.setting("every", &PING_EVERY, Duration::from_secs(30));
            Some(PingSettings { send: send?, every })
        })
    }

    fn show(&self, value: &PingSettings) -> Option<String> {
        let send = format!("send = {}", Template.show(&value.send)?);
        let every = format!("every = {}", PING_EVERY.show(&value.every)?);
        Some(inline([send, every].into_iter()))
    }

    fn describe(&self) -> String {
        "{ send = template, every = \"30s\" }".to_owned()
    }
}

/// How often one connection may send such a frame.
pub(super) struct Rating;

const RATE_WINDOW: Time = Time { least: Duration::from_millis(100), most: Duration::from_secs(86_400) };

impl Shape for Rating {
    type Value = RateSettings;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<RateSettings> {
        read(node, report, "{ count = 10, window = \"1m\" }", |keys| {
            let count = keys.setting("count", &Optional(Count::of(1, 1_000_000)), None);
            let window = keys.setting("window", &Optional(RATE_WINDOW), None);
            let reply = keys.setting("reply", &Optional(Template), None);
            Some(RateSettings { count: count?, window: window?, reply })
        })
    }

    fn show(&self, value: &RateSettings) -> Option<String> {
        let count = Some(format!("count = {}", value.count));
        let window = RATE_WINDOW.show(&value.window).map(|window| format!("window = {window}"));
        let reply = value.reply.as_ref().and_then(|reply| Template.show(reply)).map(|reply| format!("reply = {reply}"));
        Some(inline([count, window, reply].into_iter().flatten()))
    }

    fn describe(&self) -> String {
        "{ count = 10, window = \"1m\", reply = template }".to_owned()
    }
}

/// The longest text that a path may hold.
pub(super) struct Longest;

const CHARACTERS: Count<u32> = Count::of(1, 16_777_216);

impl Shape for Longest {
    type Value = MaxChars;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<MaxChars> {
        let remedy = "Write { PATH = number }, for example { content = 2000 }";
        let Value::Table(table) = &node.value else {
            return report.wrong(node, format!("expected a table, found {}", node.value.kind()), remedy);
        };
        let [(path, count)] = table.0.as_slice() else {
            return report.wrong(node, "expected one path and its number", remedy);
        };
        if let Err((wrong, remedy)) = path_into_a_frame(path) {
            return report.wrong(node, wrong, remedy);
        }
        Some(MaxChars { path: path.clone(), count: CHARACTERS.read(count, report)? })
    }

    fn show(&self, value: &MaxChars) -> Option<String> {
        Some(inline(std::iter::once(format!("{} = {}", show_key(&value.path), value.count))))
    }

    fn describe(&self) -> String {
        "{ PATH = number }".to_owned()
    }
}

/// Who is told that their name was mentioned.
pub(super) struct Mentioning;

impl Shape for Mentioning {
    type Value = MentionSettings;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<MentionSettings> {
        let example = "{ path = \"content\", channel = \"user:{mentioned.id}\", send = { type = \"mention\", by = \"{user.name}\" } }";
        read(node, report, example, |keys| {
            let path = keys.setting(
                "path",
                &Text { what: "a path into the frame", check: path_into_a_frame },
                "content".to_owned(),
            );
            let channel = keys.setting("channel", &Optional(Text { what: "a channel", check: any_text }), None);
            let send = keys.setting("send", &Optional(Template), None);
            Some(MentionSettings { path, send: send?, channel: channel? })
        })
    }

    fn show(&self, value: &MentionSettings) -> Option<String> {
        let path = format!("path = {}", quote(&value.path));
        let channel = format!("channel = {}", quote(&value.channel));
        let send = format!("send = {}", Template.show(&value.send)?);
        Some(inline([path, channel, send].into_iter()))
    }

    fn describe(&self) -> String {
        "{ path = \"content\", channel = \"…\", send = template }".to_owned()
    }
}
