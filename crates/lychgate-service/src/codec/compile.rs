//! From settings to a codec: every template is compiled for the place where it stands.

use std::time::Duration;

use super::rule::{Act, Question, Reacting, Rule, RuleRate, To};
use super::settings::{ActSettings, Announcement, CodecSettings, MentionSettings, RuleSettings, ToSettings, Unknown};
use super::{Codec, CodecFault, Keys, Mention, RULES_MAX, Said};
use crate::limits::Rate;
use crate::template::{Names, Source, Template, TemplateFault, TextTemplate};

/// The most keys of one path into a frame.
const PATH_KEYS_MAX: usize = 8;

/// The shortest time between two pings of one connection.
const PING_LEAST: Duration = Duration::from_secs(1);

impl Codec {
    /// Compiles `settings` for an endpoint whose requests have these `parameters`, such as `channel` and `query.room`.
    ///
    /// # Errors
    ///
    /// Every fault at once, each with its key.
    pub fn compile(settings: &CodecSettings, parameters: &Names) -> Result<Self, Vec<CodecFault>> {
        let mut compiling = Compiling { base: Names::server().and(parameters), faults: Vec::new() };
        let codec = compiling.codec(settings);
        if compiling.faults.is_empty() { Ok(codec) } else { Err(compiling.faults) }
    }
}

struct Compiling {
    /// The names that exist everywhere.
    base: Names,
    faults: Vec<CodecFault>,
}

impl Compiling {
    fn codec(&mut self, settings: &CodecSettings) -> Codec {
        let base = self.base.clone();
        let error = base.clone().open("in").with("error.message").with("error.code");
        let with = |name| base.clone().with(name);
        if settings.type_key.is_empty() {
            self.fault("type_key", "a key needs a name", "Write \"type\", or the name that your clients use");
        }
        self.not_too_many("in", settings.rules.len());
        self.not_too_many("welcome", settings.welcome.len());
        let unknown = settings.unknown.unwrap_or(match settings.rules.is_empty() {
            true => Unknown::Publish,
            false => Unknown::Error,
        });
        let welcome = settings.welcome.iter().enumerate();
        let welcome =
            welcome.filter_map(|(at, source)| self.template(&format!("welcome.{at}"), source, &base)).collect();
        let rules = settings.rules.iter().enumerate();
        let rules = rules.map(|(index, (kind, rule))| (kind.as_str().into(), self.rule(index, kind, rule))).collect();
        let ping = settings.ping.as_ref().and_then(|ping| {
            if ping.every < PING_LEAST {
                self.fault("ping.every", "this is too often", "Write \"1s\" or more");
            }
            Some((ping.every, self.template("ping.send", &ping.send, &base)?))
        });
        for kind in settings.tolerate.iter().filter(|kind| settings.rules.contains_key(*kind)) {
            self.fault("tolerate", format!("{kind:?} has a rule of its own"), format!("Remove it here, or in.{kind}"));
        }
        if settings.presence_person.is_some() && settings.presence_list.is_none() {
            let remedy = "Write presence_list with \"{people}\" in it, or remove this";
            self.fault("presence_person", "there is no list that it could stand in", remedy);
        }
        if settings.presence_list.is_some() && settings.presence_person.is_none() {
            self.fault("presence_list", "it has no form for the people in it", "Write presence_person");
        }
        Codec {
            type_key: settings.type_key.as_str().into(),
            default_type: settings.default_type.as_deref().map(Box::from),
            stamp: settings.stamp.clone(),
            welcome,
            join: self.said("join", settings.join.as_ref()),
            leave: self.said("leave", settings.leave.as_ref()),
            rules,
            require: self.paths("require", &settings.require),
            tolerate: settings.tolerate.iter().map(|kind| kind.as_str().into()).collect(),
            answer_ping: settings.answer_ping,
            bad_frame: settings.bad_frame,
            bad_json: self.maybe("bad_json", settings.bad_json.as_ref(), &error),
            bad_shape: self.maybe("bad_shape", settings.bad_shape.as_ref(), &error),
            error: self.maybe("error", settings.error.as_ref(), &error),
            unknown,
            text_pong: settings.text_pong.as_deref().map(Box::from),
            unwrap_json: settings.unwrap_json,
            ping,
            presence_update: self.maybe("presence_update", settings.presence_update.as_ref(), &with("status")),
            presence_list: self.maybe("presence_list", settings.presence_list.as_ref(), &with("people")),
            presence_person: self.maybe("presence_person", settings.presence_person.as_ref(), &with("status")),
            chunk: self.maybe("chunk", settings.chunk.as_ref(), &with("chunk")),
            done: self.maybe("done", settings.done.as_ref(), &base),
            passes_all: unknown == Unknown::Publish
                && settings.rules.is_empty()
                && settings.require.is_empty()
                && settings.tolerate.is_empty()
                && !settings.unwrap_json,
        }
    }

    fn rule(&mut self, index: usize, kind: &str, settings: &RuleSettings) -> Rule {
        let key = |name: &str| format!("in.{kind}.{name}");
        let heard = self.base.clone().open("in");
        // What the act adds to what is said after it.
        let acted = match &settings.act {
            ActSettings::Store => stored(heard.clone()),
            ActSettings::PresenceSet { .. } => heard.clone().with("status"),
            ActSettings::Forward { .. } => heard.clone().open("answer"),
            _ => heard.clone(),
        };
        let unheard = match &settings.act {
            ActSettings::Store => stored(self.base.clone()),
            _ => self.base.clone(),
        };
        if settings.send.is_none() && settings.to != ToSettings::All {
            self.fault(key("to"), "there is nothing to send", "Write send, or remove to");
        }
        if let Some(rate) = &settings.rate
            && (rate.count == 0 || rate.window.is_zero())
        {
            self.fault(key("rate"), "this lets nothing through", "Write a count and a window above zero");
        }
        Rule {
            index,
            kind: kind.into(),
            require: self.paths(&key("require"), &settings.require),
            drop_blank: settings.drop_blank.as_deref().and_then(|path| self.path(&key("drop_blank"), path)),
            needs_authenticated: settings.needs_authenticated,
            max_chars: settings.max_chars.as_ref().and_then(|most| {
                let path = self.path(&key("max_chars"), &most.path)?;
                Some((path, usize::try_from(most.count).unwrap_or(usize::MAX)))
            }),
            rate: settings.rate.as_ref().map(|rate| RuleRate {
                rate: Rate::new(rate.count, u64::try_from(rate.window.as_millis()).unwrap_or(u64::MAX), rate.count),
                reply: self.maybe(&key("rate.reply"), rate.reply.as_ref(), &heard),
            }),
            act: self.act(kind, &settings.act, &heard),
            answer_require: self.paths(&key("answer_require"), &settings.answer_require),
            send: self.maybe(&key("send"), settings.send.as_ref(), &acted),
            to: self.to(&key("to"), &settings.to, &unheard),
            reply: self.maybe(&key("reply"), settings.reply.as_ref(), &acted),
            mention: settings.mention.as_ref().and_then(|mention| self.mention(kind, mention, &acted, &unheard)),
        }
    }

    fn act(&mut self, kind: &str, settings: &ActSettings, heard: &Names) -> Act {
        let key = |name: &str| format!("in.{kind}.{name}");
        match settings {
            ActSettings::None => Act::None,
            ActSettings::Store => Act::Store,
            ActSettings::React { message, emoji } | ActSettings::Unreact { message, emoji } => {
                let message = self.text(&key("message"), message, heard);
                let emoji = self.text(&key("emoji"), emoji, heard);
                match (message, emoji, settings) {
                    (Some(message), Some(emoji), ActSettings::React { .. }) => Act::React(Reacting { message, emoji }),
                    (Some(message), Some(emoji), _) => Act::Unreact(Reacting { message, emoji }),
                    _ => Act::None,
                }
            }
            ActSettings::TypingStart => Act::TypingStart,
            ActSettings::TypingStop => Act::TypingStop,
            ActSettings::PresenceLife => Act::PresenceLife,
            ActSettings::PresenceSet { status } => {
                self.text(&key("status"), status, heard).map_or(Act::None, Act::PresenceSet)
            }
            ActSettings::Forward { body } => {
                let body = body.clone().unwrap_or_else(whole_frame);
                self.template(&key("body"), &body, heard).map_or(Act::None, Act::Forward)
            }
            ActSettings::Cancel => Act::Cancel,
            ActSettings::Ask { request, chunk, done } => {
                let request = self.template(&key("ask.request"), request, heard);
                let chunk = self.maybe(&key("ask.chunk"), chunk.as_ref(), &heard.clone().with("chunk"));
                let done = self.maybe(&key("ask.done"), done.as_ref(), heard);
                request.map_or(Act::None, |request| Act::Ask(Box::new(Question { request, chunk, done })))
            }
        }
    }

    fn mention(&mut self, kind: &str, settings: &MentionSettings, acted: &Names, unheard: &Names) -> Option<Mention> {
        let key = |name: &str| format!("in.{kind}.mention.{name}");
        let mentioned = |names: &Names| names.clone().with("mentioned.id").with("mentioned.name");
        let path = self.path(&key("path"), &settings.path);
        let send = self.template(&key("send"), &settings.send, &mentioned(acted));
        let channel = self.text(&key("channel"), &settings.channel, &mentioned(unheard));
        Some(Mention { path: path?, send: send?, channel: channel? })
    }

    fn said(&mut self, key: &str, settings: Option<&Announcement>) -> Option<Said> {
        let settings = settings?;
        let base = self.base.clone();
        let to = self.to(&format!("{key}.to"), &settings.to, &base);
        Some(Said { send: self.template(&format!("{key}.send"), &settings.send, &base)?, to })
    }

    /// A channel's name knows nothing of what a client sends: a client does not choose where its words go.
    fn to(&mut self, key: &str, settings: &ToSettings, unheard: &Names) -> To {
        match settings {
            ToSettings::All => To::All,
            ToSettings::Others => To::Others,
            ToSettings::Sender => To::Sender,
            ToSettings::Channel(name) => self.text(key, name, unheard).map_or(To::All, To::Channel),
        }
    }

    fn maybe(&mut self, key: &str, source: Option<&Source>, names: &Names) -> Option<Template> {
        self.template(key, source?, names)
    }

    fn template(&mut self, key: &str, source: &Source, names: &Names) -> Option<Template> {
        let compiled = Template::compile(source, names);
        compiled.map_err(|faults| faults.into_iter().for_each(|fault| self.template_fault(key, fault))).ok()
    }

    fn text(&mut self, key: &str, text: &str, names: &Names) -> Option<TextTemplate> {
        TextTemplate::compile(text, names).map_err(|fault| self.template_fault(key, fault)).ok()
    }

    fn template_fault(&mut self, key: &str, fault: TemplateFault) {
        let key = if fault.at.is_empty() { key.to_owned() } else { format!("{key}.{}", fault.at) };
        self.fault(key, fault.wrong, fault.remedy);
    }

    fn paths(&mut self, key: &str, paths: &[String]) -> Vec<Keys> {
        paths.iter().filter_map(|path| self.path(key, path)).collect()
    }

    fn path(&mut self, key: &str, path: &str) -> Option<Keys> {
        let keys: Box<[Box<str>]> = path.split('.').map(Box::from).collect();
        if keys.len() > PATH_KEYS_MAX || keys.iter().any(|key| key.is_empty() || key.contains(['{', '}', ' '])) {
            let remedy = format!("Write 1 to {PATH_KEYS_MAX} keys with dots between them, such as data.message");
            self.fault(key, format!("\"{}\" is no path into a frame", path.escape_debug()), remedy);
            return None;
        }
        Some(Keys { dotted: path.into(), keys })
    }

    fn not_too_many(&mut self, key: &str, count: usize) {
        if count > RULES_MAX {
            self.fault(key, format!("there are {count} of them"), format!("Write at most {RULES_MAX}"));
        }
    }

    fn fault(&mut self, key: impl Into<String>, wrong: impl Into<String>, remedy: impl Into<String>) {
        self.faults.push(CodecFault { key: key.into(), wrong: wrong.into(), remedy: remedy.into() });
    }
}

fn stored(names: Names) -> Names {
    names.with("stored.id").with("stored.at.iso").with("stored.at.unix").with("stored.reactions")
}

/// What the application is told where nothing else is configured.
fn whole_frame() -> Source {
    let text = |text: &str| Source::Text(text.to_owned());
    let user = [("id", "{user.id}"), ("name", "{user.name}"), ("authenticated", "{user.authenticated}")];
    let user = user.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect();
    Source::Object(vec![("user".to_owned(), Source::Object(user)), ("frame".to_owned(), text("{in}"))])
}
