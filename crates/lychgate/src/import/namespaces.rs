//! Namespaces: what channels have, and who may do what in them.
//!
//! **Invariant:** nobody may do in a channel what they could not do before, and no channel exists for clients that did not.
//! Where ours cannot say the same, it says less, and a note says so.

use super::Group;
use super::client::{self, Endpoint};
use super::duration;
use super::ours::{Section, quoted, section_name};
use super::picture::Picture;
use super::proxies::Proxies;
use super::regex;
use super::report::Report;
use super::tokens::Tokens;

const DAY_MS: i64 = 86_400_000;

/// What holds for all of them.
struct Scene<'a> {
    picture: &'a Picture,
    tokens: &'a Tokens,
    has_visitors: bool,
    boundary: String,
    user_boundary: String,
    private_prefix: String,
    meta_ttl: Option<i64>,
}

/// Writes `[namespace.NAME]` for each, for channels without one, and for those that users are put into.
pub(super) fn write(
    picture: &Picture,
    report: &mut Report<'_>,
    proxies: &mut Proxies,
    tokens: &Tokens,
    endpoint: &Endpoint,
) -> Vec<Section> {
    let scene = Scene {
        picture,
        tokens,
        has_visitors: endpoint.has_visitors,
        boundary: client::boundary(picture),
        user_boundary: client::user_boundary(picture),
        private_prefix: picture.text("channel.private_prefix").unwrap_or_else(|| "$".to_owned()),
        meta_ttl: picture.ms("channel.history_meta_ttl").filter(|ms| *ms > 0),
    };
    scene.explain(report);
    let mut sections = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for number in 0..picture.count("channel.namespaces") {
        let base = format!("channel.namespaces[{number}]");
        let Some(name) = picture.text(&format!("{base}.name")) else {
            report.note(Group::Decide, &format!("{base}.name"), "A namespace without a name. It is left out.");
            continue;
        };
        let is_name = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}".contains(&byte));
        let mut own = section_name(&name);
        if !is_name || names.contains(&own) {
            report.note(
                Group::Decide,
                &format!("{base}.name"),
                "A name that no namespace can have here, or that is there twice. It is left out.",
            );
            continue;
        }
        names.push(std::mem::take(&mut own));
        let prefix = format!("{name}{}", scene.boundary);
        sections.extend(scene.namespace(report, proxies, &base, &section_name(&name), &prefix));
    }
    let own = free(&names, "default");
    sections.extend(scene.namespace(report, proxies, "channel.without_namespace", &own, ""));
    if let Some(namespace) = &endpoint.personal {
        let boundary = if namespace.is_empty() { "" } else { &scene.boundary };
        let own = free(&names, if namespace.is_empty() { "personal" } else { "personal-channels" });
        let base = (0..picture.count("channel.namespaces"))
            .map(|number| format!("channel.namespaces[{number}]"))
            .find(|base| picture.text(&format!("{base}.name")).as_ref() == Some(namespace))
            .unwrap_or_else(|| "channel.without_namespace".to_owned());
        let mut personal = Section::new(format!("namespace.{own}"))
            .about("The channel of each user, into which the server puts them.");
        personal.put("channel", quoted(&format!("{namespace}{boundary}{}{{name}}", scene.user_boundary)));
        scene.options(&mut Vec::new(), &base, &mut personal, false);
        personal.put("policy", scene.by_token());
        sections.push(personal);
    }
    sections
}

/// A name for a section of our own that none of theirs has.
fn free(names: &[String], wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while names.contains(&name) {
        name.push('_');
    }
    name
}

/// By which rule clients enter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Any,
    Token,
}

impl Scene<'_> {
    fn explain(&self, report: &mut Report<'_>) {
        let prefix = "channel.private_prefix";
        if self.picture.has(prefix) {
            let text = "What begins a private channel, for which a token is needed whatever its namespace says. Names mean nothing here: write a [namespace.NAME] with that beginning and rule = \"token\". Until then no such channel is open without a token.";
            report.note(Group::Decide, prefix, text);
        }
        for key in ["channel.user_boundary", "channel.user_separator"] {
            if self.picture.has(key) {
                self.picture.settle(key);
            }
        }
    }

    /// Whoever shows a token for the channel, where such tokens are trusted.
    const fn by_token(&self) -> &'static str {
        if self.tokens.have_other_keys_for_channels { "{ rule = \"none\" }" } else { "{ rule = \"token\" }" }
    }

    fn flag(&self, base: &str, key: &str) -> bool {
        self.picture.flag(&format!("{base}.{key}"))
    }

    /// Whether a proxy is on for an event, and its name.
    fn proxy(&self, base: &str, event: &str) -> (bool, Option<String>) {
        let name = self.picture.text(&format!("{base}.{event}_proxy_name"));
        let said = self.picture.flag_if_there(&format!("{base}.{event}_proxy_enabled"));
        // The name alone is a switch in version 5.
        (said.unwrap_or(self.picture.version() == 5 && name.is_some()), name)
    }

    fn namespace(
        &self,
        report: &mut Report<'_>,
        proxies: &mut Proxies,
        base: &str,
        name: &str,
        prefix: &str,
    ) -> Option<Section> {
        let key = |option: &str| format!("{base}.{option}");
        if let Some(kind) = self.picture.text(&key("subscription_type"))
            && kind != "stream"
        {
            report.note(
                Group::Decide,
                &key("subscription_type"),
                "Keyed channels. There are none, so the namespace is left out; nobody can enter its channels.",
            );
            return None;
        }
        let mut section = Section::new(format!("namespace.{name}"));
        if prefix.is_empty() {
            section = section.about("Channels without a namespace.");
        }
        let on_subscribe = self.source(report, proxies, base, "subscribe");
        let for_client = self.flag(base, "allow_subscribe_for_client");
        // Where a backend is asked, nothing else says yes in its place.
        let (asks, _) = self.proxy(base, "subscribe");
        let is_open = if asks { on_subscribe.is_some() } else { for_client };
        let mut rule = if is_open { Rule::Any } else { Rule::Token };
        let slot = self.slot(report, base, prefix, &mut rule);
        section.put("channel", quoted(&format!("{prefix}{{{slot}}}")));
        let on_publish = self.source(report, proxies, base, "publish");
        let on_sub_refresh = self.source(report, proxies, base, "sub_refresh");
        let mut abilities = Vec::new();
        let publishes = self.publish(base, on_publish.is_some(), &mut abilities);
        if publishes != "nobody" {
            section.put("publish", quoted(publishes));
        }
        self.options(&mut abilities, base, &mut section, true);
        if let Some(source) = on_subscribe.filter(|_| rule == Rule::Any) {
            section.put("on_subscribe", quoted(&source));
        }
        if let Some(source) = on_publish {
            section.put("on_publish", quoted(&source));
        }
        if let Some(source) = on_sub_refresh {
            section.put("on_sub_refresh", quoted(&source));
        }
        let anonymous = self.anonymous(report, base, rule, &abilities);
        let policy = match rule {
            Rule::Any if anonymous => "{ rule = \"any\", anonymous = true }",
            Rule::Any => "{ rule = \"any\" }",
            Rule::Token => self.by_token(),
        };
        section.put("policy", policy);
        self.data_format(report, base);
        Some(section)
    }

    /// The source that is asked about an event; none, where nobody is or can be.
    fn source(&self, report: &mut Report<'_>, proxies: &mut Proxies, base: &str, event: &str) -> Option<String> {
        let (is_on, name) = self.proxy(base, event);
        if !is_on {
            return None;
        }
        let place = proxies.place(name.as_deref(), &format!("channel.proxy.{event}"));
        let source = place.and_then(|place| proxies.source(self.picture, report, &place));
        if source.is_none() {
            let of = [format!("{base}.{event}_proxy_enabled"), format!("{base}.{event}_proxy_name")];
            let key = of.iter().find(|key| self.picture.has(key)).map_or(base, String::as_str);
            let text = match event {
                "sub_refresh" => {
                    "Your backend was asked to prolong subscriptions, and there is no address to ask it at. Until there is, those with an end need a token."
                }
                _ => {
                    "Your backend was asked, and there is no address to ask it at. Until there is, it is as if it had said no: a token opens the channel, and what it alone allowed is not allowed."
                }
            };
            report.note(Group::Decide, key, text);
        }
        source
    }

    /// The parameter that holds what stands behind the prefix.
    fn slot(&self, report: &mut Report<'_>, base: &str, prefix: &str, rule: &mut Rule) -> &'static str {
        let (regex, limited) = (format!("{base}.channel_regex"), format!("{base}.allow_user_limited_channels"));
        let mut slot = "name";
        if let Some(pattern) = self.picture.text(&regex) {
            match regex::kind(&pattern) {
                Some(_) => slot = "name:name",
                None => {
                    let text = "A pattern that names of its channels had to match. Ours are made of text, numbers and names (channel = \"chat:{room:int}\"). Until you have written yours, a token is asked for.";
                    report.note(Group::Decide, &regex, text);
                    *rule = Rule::Token;
                }
            }
        }
        // Which characters a list of users begins with may be said, and then they might be those of a name.
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        if self.picture.flag(&limited) && is_word(&self.user_boundary) {
            *rule = Rule::Token;
        }
        if self.picture.flag(&limited) {
            let text = match rule {
                Rule::Any => {
                    "Channels whose names list the users who may enter. Names mean nothing here: such channels do not exist until you write a [namespace.NAME] for them, with rule = \"member\" or \"token\". The names of the others hold letters, digits, _ and -."
                }
                Rule::Token => {
                    "Channels whose names list the users who may enter. Names mean nothing here: a token is asked for, as for the others."
                }
            };
            report.note(Group::Decide, &limited, text);
            if *rule == Rule::Any {
                slot = "name:name";
            }
        }
        if prefix.is_empty() && *rule == Rule::Any {
            if is_word(&self.private_prefix) {
                *rule = Rule::Token;
            } else if slot == "name" {
                slot = "name:name";
                let key = if self.picture.has(&format!("{base}.allow_subscribe_for_client")) {
                    "allow_subscribe_for_client"
                } else {
                    "subscribe_proxy_enabled"
                };
                let text = "Channels without a namespace. Their names hold letters, digits, _ and - here, so that none is taken for one of another namespace; write a [namespace.NAME] for each other name that you have.";
                report.note(Group::Decide, &format!("{base}.{key}"), text);
            }
        }
        if *rule == Rule::Token { "name" } else { slot }
    }

    fn publish(&self, base: &str, is_asked: bool, abilities: &mut Vec<&'static str>) -> &'static str {
        let (client, subscriber) =
            (self.flag(base, "allow_publish_for_client"), self.flag(base, "allow_publish_for_subscriber"));
        let (is_on, _) = self.proxy(base, "publish");
        if is_on && !is_asked {
            // Nobody can be asked, and nobody else may say yes in its place.
            return "nobody";
        }
        if client || subscriber || is_asked {
            abilities.push("publish");
        }
        match (client || is_asked, subscriber) {
            (true, _) => "permitted",
            (false, true) => "subscribers",
            (false, false) => "nobody",
        }
    }

    /// What channels have beside who enters and publishes.
    fn options(&self, abilities: &mut Vec<&'static str>, base: &str, section: &mut Section, with_access: bool) {
        let who = |of: &str| {
            let client = self.flag(base, &format!("allow_{of}_for_client"));
            let subscriber = self.flag(base, &format!("allow_{of}_for_subscriber"));
            match (client && with_access, subscriber) {
                (true, _) => "permitted",
                (false, true) => "subscribers",
                (false, false) => "nobody",
            }
        };
        let (sees, reads) = (who("presence"), who("history"));
        if self.flag(base, "presence") {
            section.put("presence", quoted(sees));
            if sees != "nobody" {
                abilities.push("presence");
            }
        }
        let is_pushed = self.flag(base, "force_push_join_leave");
        if self.flag(base, "join_leave") {
            // Who asks for it had to be one who may see who is there.
            match (is_pushed, sees) {
                (true, _) => section.put("join_leave", quoted("always")),
                (false, "nobody") => {}
                (false, _) => section.put("join_leave", quoted("asked")),
            }
        }
        self.history(abilities, base, section, reads);
    }

    fn history(&self, abilities: &mut Vec<&'static str>, base: &str, section: &mut Section, reads: &str) {
        let key = |option: &str| format!("{base}.{option}");
        let size = self.picture.number(&key("history_size")).filter(|size| *size > 0);
        let ttl = self.picture.ms(&key("history_ttl")).filter(|ms| *ms > 0);
        let meta = self.picture.ms(&key("history_meta_ttl")).filter(|ms| *ms > 0).or(self.meta_ttl);
        let (forced, allowed) = (self.flag(base, "force_recovery"), self.flag(base, "allow_recovery"));
        // A place is told wherever there is one.
        for option in ["force_positioning", "allow_positioning", "delta_publish"] {
            self.flag(base, option);
        }
        let mode = self.picture.text(&key("force_recovery_mode"));
        let deltas = self.picture.texts(&key("allowed_delta_types")).unwrap_or_default();
        let (Some(size), Some(ttl)) = (size, ttl) else { return };
        let show =
            |ms: i64, least: i64, most: i64| quoted(&duration::show(u64::try_from(ms.clamp(least, most)).unwrap_or(0)));
        section.put("history_size", size.min(100_000).to_string());
        section.put("history_ttl", show(ttl, 1_000, 30 * DAY_MS));
        if let Some(ms) = meta {
            section.put("history_meta_ttl", show(ms, 60_000, 365 * DAY_MS));
        }
        section.put("history", quoted(reads));
        if reads != "nobody" {
            abilities.push("history");
        }
        // Whoever may read the history may recover, too.
        section.put(
            "recovery",
            quoted(match (forced, allowed || reads != "nobody") {
                (true, _) => "always",
                (false, true) => "asked",
                (false, false) => "never",
            }),
        );
        if mode.as_deref() == Some("cache") {
            section.put("recovery_mode", quoted("cache"));
        }
        if deltas.iter().any(|kind| kind == "fossil") {
            section.put("deltas", "true");
        }
    }

    /// Whether visitors may enter. They may do here what others may, so they do not, where that would be more.
    fn anonymous(&self, report: &mut Report<'_>, base: &str, rule: Rule, abilities: &[&str]) -> bool {
        let subscribe = self.flag(base, "allow_subscribe_for_anonymous");
        let may = ["publish", "presence", "history"]
            .map(|what| (what, self.flag(base, &format!("allow_{what}_for_anonymous"))));
        if !subscribe || !self.has_visitors {
            return false;
        }
        let key = format!("{base}.allow_subscribe_for_anonymous");
        if rule == Rule::Token {
            report.note(Group::Decide, &key, "Visitors could enter where others could not, or not any more. They cannot here: only rule = \"any\" lets them in.");
            return false;
        }
        let too_much = may.iter().any(|(what, allowed)| abilities.contains(what) && !allowed);
        if too_much {
            let text = "Visitors could enter, and not do all that users can. Who is in may do the same here, so visitors are not let in; give them a namespace of their own.";
            report.note(Group::Decide, &key, text);
        }
        !too_much
    }

    fn data_format(&self, report: &mut Report<'_>, base: &str) {
        let key = format!("{base}.publication_data_format");
        match self.picture.text(&key).as_deref() {
            None | Some("json") => {}
            Some("json_object") => report.note(
                Group::Gone,
                &key,
                "Publications had to be JSON objects. Any JSON is taken here; on_publish can refuse what is none.",
            ),
            Some(_) => report.note(Group::Gone, &key, "Publications without JSON. They are always JSON here."),
        }
    }
}
