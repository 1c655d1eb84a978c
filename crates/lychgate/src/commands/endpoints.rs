//! `endpoints`: what a configuration serves, who may enter, and how each refusal looks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use lychgate_gateway::settings::CredentialSource;
use lychgate_gateway::ws::profile::{Event as WireEvent, RefuseBy};
use lychgate_service::identity::WhenUnavailable;
use lychgate_service::ports::directory::SubjectKind;
use lychgate_service::target::Kind;
use serde_json::{Value, json};

use super::ConfigArgs;
use super::terminal::{say_all, table};
use crate::config::{self, Config, Endpoint, EndpointKind, Namespace, NamespaceRule, OWN, Rule};
use crate::wiring;

const EXAMPLES: &str = "\
Examples:
  lychgate endpoints --config lychgate.toml
      Every endpoint with its address, what opens it, and what a client sees when it is refused.
  lychgate endpoints --config lychgate.toml --json | jq '.[].refusals'";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Endpoints {
    #[command(flatten)]
    config: ConfigArgs,
    /// One JSON array, for programs
    #[arg(long)]
    json: bool,
    /// As a development server would have it
    #[arg(long)]
    dev: bool,
}

impl Endpoints {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let config = config::load(&self.config.sources(self.dev)?)?.config;
        let all: Vec<Shown> = config.endpoints.iter().map(|(name, endpoint)| show(&config, name, endpoint)).collect();
        let text = if self.json {
            let values: Vec<Value> = all.iter().map(Shown::as_json).collect();
            format!("{}\n", serde_json::to_string_pretty(&values)?)
        } else {
            all.iter().map(Shown::as_text).collect::<Vec<_>>().join("\n")
        };
        Ok(say_all(&text)?)
    }
}

/// One endpoint in words.
struct Shown {
    name: String,
    url: String,
    /// How each other way in is called, and its address.
    fallbacks: Vec<(&'static str, String)>,
    kind: &'static str,
    channel: Option<String>,
    /// The namespaces of the channels that clients name themselves, each in a sentence.
    namespaces: Vec<String>,
    credentials: Vec<String>,
    who: Vec<String>,
    by_http: bool,
    refusals: Vec<Refusal>,
}

struct Refusal {
    event: &'static str,
    code: u16,
    reason: String,
    status: u16,
    at_the_door: bool,
    meaning: &'static str,
}

fn show(config: &Config, name: &str, endpoint: &Endpoint) -> Shown {
    let settings = &endpoint.settings;
    let is_gone = settings.kind == EndpointKind::Gone;
    let holds_many = settings.kind == EndpointKind::Channels;
    let mut credentials: Vec<String> = settings.credentials.iter().map(credential).collect();
    if holds_many {
        credentials.insert(0, "token in the first command: {\"id\":1,\"connect\":{\"token\":\"TOKEN\"}}".to_owned());
    }
    let profile = wiring::profile(config.profile_of(endpoint));
    let refusals = WireEvent::ALL.iter().filter(|event| can_happen(endpoint, **event)).map(|event| {
        let (code, reason) = profile.close(*event);
        Refusal {
            event: event.name(),
            code: code.0,
            reason: reason.to_owned(),
            status: event.status().as_u16(),
            at_the_door: event.is_at_the_door(),
            meaning: event.meaning(),
        }
    });
    Shown {
        name: name.to_owned(),
        url: format!("ws://{}{}", config.server.listen, settings.path),
        fallbacks: settings
            .fallbacks()
            .map(|(transport, path)| (transport.name(), format!("http://{}{path}", config.server.listen)))
            .collect(),
        kind: match settings.kind {
            EndpointKind::Broadcast => "broadcast",
            EndpointKind::Channels => "channels",
            EndpointKind::Echo => "echo",
            EndpointKind::Stream => "stream",
            EndpointKind::Gone => "gone",
        },
        channel: (!holds_many).then(|| settings.channel.clone()),
        namespaces: if holds_many { config.namespaces.values().map(namespace).collect() } else { Vec::new() },
        credentials: if is_gone { Vec::new() } else { credentials },
        who: if is_gone { vec!["nobody comes in any more, whatever they bring".to_owned()] } else { who(endpoint) },
        by_http: profile.refuse_by == RefuseBy::Http,
        refusals: refusals.collect(),
    }
}

/// Who may subscribe to the channels of a namespace.
fn namespace(namespace: &Namespace) -> String {
    let form = namespace.settings.channel.as_ref();
    let (channel, own) = form.map(|form| (form.to_string(), form.template())).unwrap_or_default();
    let policy = &namespace.policy;
    let source = if policy.source == OWN { "the registry here" } else { &policy.source };
    let resource = policy.resource.as_deref().unwrap_or(&own);
    let who = match policy.rule {
        Some(NamespaceRule::Of(Rule::Any)) if policy.anonymous => "everybody, visitors too".to_owned(),
        Some(NamespaceRule::Of(Rule::Any)) => "everybody who is connected".to_owned(),
        Some(NamespaceRule::Of(Rule::Owner)) => format!("whom {resource} belongs to, by the word of {source}"),
        Some(NamespaceRule::Of(Rule::Member)) => format!("members of {resource}, by the word of {source}"),
        Some(NamespaceRule::Of(Rule::Grants)) => "whose token's caps name the channel".to_owned(),
        Some(NamespaceRule::Token) => "who shows a token for the channel".to_owned(),
        Some(NamespaceRule::Nobody) | None => "nobody by themselves; the server subscribes its clients".to_owned(),
    };
    format!("{channel}: {who}")
}

fn credential(source: &CredentialSource) -> String {
    match source {
        CredentialSource::Query(name) => format!("token in the query: ?{name}=TOKEN"),
        CredentialSource::Header => "token in the header: Authorization: Bearer TOKEN".to_owned(),
        CredentialSource::Subprotocol(name) => format!("token as a subprotocol: Sec-WebSocket-Protocol: {name}, TOKEN"),
        CredentialSource::SubprotocolBase64(name) => {
            format!("token as a subprotocol: Sec-WebSocket-Protocol: {name}.BASE64URL(TOKEN), and one that is spoken")
        }
        CredentialSource::Cookie(name) => format!("token in the cookie {name}, from a listed origin"),
        CredentialSource::Ticket(name) => format!("one-time ticket in the query: ?{name}=TICKET"),
        CredentialSource::Message(kind) => {
            format!("token in the first message: {{\"type\":\"{kind}\",\"token\":\"TOKEN\"}}")
        }
    }
}

fn who(endpoint: &Endpoint) -> Vec<String> {
    let (identity, policy) = (&endpoint.identity, &endpoint.policy);
    let mut lines = Vec::new();
    let named = match identity.subject.0 {
        SubjectKind::Name => "name",
        SubjectKind::Id => "id",
        SubjectKind::IdOrEmail => "id or e-mail address",
    };
    if identity.must_exist || identity.must_be_active {
        let at = if identity.lookup == OWN { "the accounts here".to_owned() } else { identity.lookup.clone() };
        let active = if identity.must_be_active { " and active" } else { "" };
        lines.push(format!("the token's sub is the {named} of a user of {at} who is there{active}"));
        if identity.when_unavailable.0 == WhenUnavailable::TrustToken {
            lines.push("a verified token is enough while users cannot be looked up".to_owned());
        }
    } else {
        lines.push(format!("the token's word is enough; its sub is the user's {named}"));
    }
    match identity.subject_kind.0 {
        Some(Kind::Int) => lines.push("sub has to be a whole number".to_owned()),
        Some(Kind::Name) => lines.push("sub has to be a name of letters, digits, _ and -".to_owned()),
        Some(Kind::Text) | None => {}
    }
    if let Some(parameter) = &identity.path_user {
        lines.push(format!("the path's {parameter} is the user, byte for byte"));
    }
    match (&endpoint.settings.on_connect, &identity.anonymous) {
        (Some(source), None) => lines.push(format!("without a token source.{source} is asked who connects")),
        (Some(source), Some(name)) => {
            lines.push(format!("without a token source.{source} is asked who connects; nobody by name is \"{name}\""));
        }
        (None, Some(name)) => lines.push(format!("without a token one is the visitor \"{name}\"")),
        (None, None) => {}
    }
    let source = if policy.source == OWN { "the registry here" } else { &policy.source };
    let resource = policy.resource.as_deref().unwrap_or(&endpoint.settings.channel);
    match policy.rule {
        Rule::Any => {}
        Rule::Owner => lines.push(format!("{resource} belongs to the user, by the word of {source}")),
        Rule::Member => lines.push(format!("the user is a member of {resource}, by the word of {source}")),
        Rule::Grants => lines.push("the token's caps name the channel".to_owned()),
    }
    lines
}

/// Whether `event` can come up at an endpoint that is set up like this.
fn can_happen(endpoint: &Endpoint, event: WireEvent) -> bool {
    let (identity, policy) = (&endpoint.identity, &endpoint.policy);
    let is_gone = endpoint.settings.kind == EndpointKind::Gone;
    match event {
        WireEvent::Gone => is_gone,
        _ if is_gone => event == WireEvent::Error,
        WireEvent::Completed | WireEvent::Upstream => endpoint.settings.kind == EndpointKind::Stream,
        WireEvent::Missing => identity.anonymous.is_none(),
        WireEvent::Required => identity.anonymous.is_some() && identity.path_user.is_some(),
        WireEvent::Subject => identity.subject_kind.0.is_some(),
        WireEvent::User => identity.must_exist || identity.must_be_active,
        WireEvent::Inactive => identity.must_be_active,
        WireEvent::Mismatch => identity.path_user.is_some(),
        WireEvent::NotFound => !endpoint.settings.path.slots().is_empty() || policy.rule == Rule::Owner,
        WireEvent::NotOwner => policy.rule == Rule::Owner && !policy.hide_foreign,
        WireEvent::Forbidden => matches!(policy.rule, Rule::Member | Rule::Grants),
        _ => true,
    }
}

impl Shown {
    fn as_json(&self) -> Value {
        let refusals: Vec<Value> = self
            .refusals
            .iter()
            .map(|refusal| {
                let by_status = self.by_http && refusal.at_the_door;
                json!({
                    "event": refusal.event,
                    "meaning": refusal.meaning,
                    "status": by_status.then_some(refusal.status),
                    "code": (!by_status).then_some(refusal.code),
                    "reason": refusal.reason,
                })
            })
            .collect();
        json!({
            "name": self.name,
            "url": self.url,
            "fallbacks": self.fallbacks.iter().map(|(name, url)| (*name, url)).collect::<BTreeMap<_, _>>(),
            "kind": self.kind,
            "channel": self.channel,
            "namespaces": self.namespaces,
            "credentials": self.credentials,
            "who": self.who,
            "refusals": refusals,
        })
    }

    fn as_text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}  {}", self.name, self.url);
        let _ = match &self.channel {
            Some(channel) => writeln!(out, "  {} in the channel {channel}", self.kind),
            None => writeln!(out, "  {}, by the Centrifuge client protocol", self.kind),
        };
        for (name, url) in &self.fallbacks {
            let _ = writeln!(out, "  {name}, where WebSockets are blocked: {url}");
        }
        for namespace in &self.namespaces {
            let _ = writeln!(out, "    {namespace}");
        }
        for credential in &self.credentials {
            let _ = writeln!(out, "  {credential}");
        }
        for rule in &self.who {
            let _ = writeln!(out, "  {rule}");
        }
        let mut rows = vec![vec!["  refusal".to_owned(), "client sees".to_owned(), "when".to_owned()]];
        rows.extend(self.refusals.iter().map(|refusal| {
            let seen = if self.by_http && refusal.at_the_door {
                format!("HTTP {} {}", refusal.status, refusal.reason)
            } else {
                format!("{} {}", refusal.code, refusal.reason)
            };
            vec![format!("  {}", refusal.event), seen, refusal.meaning.to_owned()]
        }));
        out.push('\n');
        out.push_str(&table(&rows));
        out
    }
}
