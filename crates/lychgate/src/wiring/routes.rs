//! Routes of HTTP beside the sockets.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use lychgate_gateway::settings::{MessageRoute, MessageRouteDoes};
use lychgate_service::admission::Door;
use lychgate_service::identity::IdentityRule;
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::principal::Principal;
use lychgate_service::template::{Names, Scope, Source, Template};

use super::conversations::Conversations;
use crate::config::{Config, RouteKind, RouteSettings};

/// The longest fixed answer, in bytes.
const FIXED_BYTES_MAX: usize = 65_536;

/// Paths with their fixed answers, and routes that publish or read.
pub(super) type Routes = (Vec<(String, Bytes)>, Vec<MessageRoute>);

/// Every route of the configuration.
///
/// # Errors
///
/// All reasons why one cannot be served, a sentence each.
pub(super) fn routes(
    config: &Config,
    doors: &BTreeMap<String, Door>,
    conversations: &Conversations,
) -> Result<Routes, Vec<String>> {
    let (mut fixed, mut messages, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (name, route) in &config.routes {
        let built = match route.kind {
            RouteKind::Fixed => body(route).map(|body| fixed.push((route.path.route().to_owned(), body))),
            RouteKind::Publish | RouteKind::History => {
                message_route(config, name, route, doors, conversations).map(|route| messages.push(route))
            }
        };
        if let Err(fault) = built {
            faults.push(format!("route.{name}.{fault}"));
        }
    }
    if faults.is_empty() { Ok((fixed, messages)) } else { Err(faults) }
}

fn body(route: &RouteSettings) -> Result<Bytes, String> {
    let source = route.body.as_ref().ok_or("body: it is missing; write the answer")?;
    let template = compile("body", source, &Names::none())?;
    let nobody = Principal::anonymous("nobody");
    let mut text = Vec::new();
    let scope = Scope::new(&nobody, UnixMicros(0));
    template.render(&scope, FIXED_BYTES_MAX, &mut text).map_err(|fault| format!("body: {fault}"))?;
    Ok(Bytes::from(text))
}

fn message_route(
    config: &Config,
    name: &str,
    route: &RouteSettings,
    doors: &BTreeMap<String, Door>,
    conversations: &Conversations,
) -> Result<MessageRoute, String> {
    let endpoint_name =
        route.endpoint.as_deref().ok_or("endpoint: it is missing; name the one whose rules it goes by")?;
    let absent = || format!("endpoint: there is no endpoint.{endpoint_name} with a channel");
    let endpoint = config.endpoints.get(endpoint_name).ok_or_else(absent)?;
    let (door, conversation) = match (doors.get(endpoint_name), conversations.by_endpoint.get(endpoint_name)) {
        (Some(door), Some(conversation)) => (door.clone(), Arc::clone(conversation)),
        _ => return Err(absent()),
    };
    let names = route.path.slots().iter().fold(Names::server(), |names, slot| names.with(&slot.name));
    let does = match route.kind {
        RouteKind::History => MessageRouteDoes::History,
        _ => {
            let send = route.send.as_ref().map(|send| compile("send", send, &names.open("in"))).transpose()?;
            MessageRouteDoes::Publish(send.map(Arc::new))
        }
    };
    // A program has a token of its own: the path's user and visitors belong to the socket.
    let identity = IdentityRule { anonymous: None, path_user: None, ..door.identity };
    Ok(MessageRoute {
        name: name.to_owned(),
        target: route.path.clone(),
        door: Door { identity, policy: door.policy },
        conversation,
        does,
        body_bytes_max: config.message_bytes_max(endpoint),
    })
}

fn compile(key: &str, source: &Source, names: &Names) -> Result<Template, String> {
    Template::compile(source, names).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        format!("{key}: {}", texts.join("; "))
    })
}
