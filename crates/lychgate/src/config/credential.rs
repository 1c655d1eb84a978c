//! The places where a credential may be, as they are written: `"query:token"`, `"header"`, `"cookie:access"`.

use lychgate_gateway::settings::CredentialSource;

use super::shape::{Report, Shape, cite, quote};
use super::tree::{Node, Value};

/// One place.
pub(super) struct CredentialPlace;

const REMEDY: &str = "Write \"query:NAME\", \"header\", \"subprotocol:NAME\", \"subprotocol-b64:NAME\", \"cookie:NAME\", \
                      \"ticket:NAME\" or \"message:TYPE\", with letters, digits, -, _ and points in NAME and TYPE";

impl Shape for CredentialPlace {
    type Value = CredentialSource;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<CredentialSource> {
        let (Value::Text(text) | Value::Variable(text)) = &node.value else {
            return report.wrong(node, "expected text", REMEDY);
        };
        let (kind, name) = text.split_once(':').map_or((text.as_str(), None), |(kind, name)| (kind, Some(name)));
        let is_name = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        let named =
            |make: fn(String) -> CredentialSource| name.filter(|name| is_name(name)).map(|n| make(n.to_owned()));
        let place = match kind {
            "header" if name.is_none() => Some(CredentialSource::Header),
            "query" => named(CredentialSource::Query),
            "subprotocol" => named(CredentialSource::Subprotocol),
            "subprotocol-b64" => named(CredentialSource::SubprotocolBase64),
            "cookie" => named(CredentialSource::Cookie),
            "ticket" => named(CredentialSource::Ticket),
            "message" => named(CredentialSource::Message),
            _ => None,
        };
        match place {
            Some(place) => Some(place),
            None => report.wrong(node, format!("{} is no place for a credential", cite(text)), REMEDY),
        }
    }

    fn show(&self, value: &CredentialSource) -> Option<String> {
        let (kind, name) = match value {
            CredentialSource::Header => return Some(quote("header")),
            CredentialSource::Query(name) => ("query", name),
            CredentialSource::Subprotocol(name) => ("subprotocol", name),
            CredentialSource::SubprotocolBase64(name) => ("subprotocol-b64", name),
            CredentialSource::Cookie(name) => ("cookie", name),
            CredentialSource::Ticket(name) => ("ticket", name),
            CredentialSource::Message(name) => ("message", name),
        };
        Some(quote(&format!("{kind}:{name}")))
    }

    fn describe(&self) -> String {
        "\"query:NAME\", \"header\", \"subprotocol:NAME\", \"subprotocol-b64:NAME\", \"cookie:NAME\", \"ticket:NAME\" \
         or \"message:TYPE\""
            .to_owned()
    }
}
