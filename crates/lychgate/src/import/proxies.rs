//! The addresses of the backend that are asked about what clients do.

use std::collections::BTreeMap;

use super::Group;
use super::duration;
use super::ours::{Ours, Section, list, quoted, section_name};
use super::picture::Picture;
use super::report::Report;
use crate::config::may_go_along;

/// The variable with the secret that calls are signed with.
const SECRET_ENV: &str = "LYCHGATE_CALL_SECRET";

/// Proxies that are used, each as a `[source.NAME]`.
pub(super) struct Proxies {
    /// Where each named one stands.
    named: BTreeMap<String, String>,
    /// The source of each place; none, if it cannot be called.
    sources: BTreeMap<String, Option<String>>,
    sections: Vec<Section>,
    /// The key of the first one, by which the secret is noted.
    first: Option<String>,
}

impl Proxies {
    pub(super) fn new(picture: &Picture) -> Self {
        let named = (0..picture.count("proxies")).filter_map(|number| {
            let place = format!("proxies[{number}]");
            Some((picture.text(&format!("{place}.name"))?, place))
        });
        Self { named: named.collect(), sources: BTreeMap::new(), sections: Vec::new(), first: None }
    }

    /// Where the proxy of this name stands: a named one, or the one at `default`.
    pub(super) fn place(&self, name: Option<&str>, default: &str) -> Option<String> {
        match name {
            None | Some("default") => Some(default.to_owned()),
            Some(name) => self.named.get(name).cloned(),
        }
    }

    /// The source for the proxy at `place`, if it can be called.
    pub(super) fn source(&mut self, picture: &Picture, report: &mut Report<'_>, place: &str) -> Option<String> {
        if let Some(known) = self.sources.get(place) {
            return known.clone();
        }
        let source = self.make(picture, report, place);
        self.sources.insert(place.to_owned(), source.clone());
        source
    }

    fn make(&mut self, picture: &Picture, report: &mut Report<'_>, place: &str) -> Option<String> {
        let key = format!("{place}.endpoint");
        let timeout = picture.ms(&format!("{place}.timeout"));
        let endpoint = picture.text(&key)?;
        let is_http = ["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme));
        if !is_http || endpoint.parse::<http::Uri>().is_err() {
            let text = "A backend that is called over GRPC, or at no address. Calls are HTTP here: give it an address, and write it as a [source.NAME].";
            report.note(Group::Decide, &key, text);
            return None;
        }
        let name = picture.text(&format!("{place}.name"));
        let of_event = || match place {
            "rpc.proxy" => "rpc".to_owned(),
            place => place.rsplit('.').next().unwrap_or(place).to_owned(),
        };
        let name = section_name(&name.unwrap_or_else(of_event));
        let name = if self.sections.iter().any(|section| section.is_named(&format!("source.{name}"))) {
            format!("{name}-{}", self.sections.len())
        } else {
            name
        };
        let mut source = Section::new(format!("source.{name}"));
        if endpoint.contains(['@', '?']) {
            let variable = format!("{}_URL", name.to_ascii_uppercase().replace('-', "_"));
            let text = format!(
                "The address may hold a secret, so it is not repeated here. It has to be in the variable {variable}."
            );
            report.note(Group::ToDo, &key, text);
            source.put("url_env", quoted(&variable));
        } else {
            source.put("url", quoted(&endpoint));
        }
        source.put("secret_env", quoted(SECRET_ENV));
        let ms = timeout.filter(|ms| *ms > 0).unwrap_or(1_000).clamp(50, 60_000);
        source.put("timeout", quoted(&duration::show(u64::try_from(ms).unwrap_or(1_000))));
        self.sections.push(source);
        self.first.get_or_insert(key);
        Some(name)
    }

    /// Who answers calls of clients.
    pub(super) fn of_calls(&mut self, picture: &Picture, report: &mut Report<'_>) -> Option<String> {
        let options = "rpc.without_namespace";
        let name = picture.text(&format!("{options}.proxy_name"));
        let said = picture.flag_if_there(&format!("{options}.proxy_enabled"));
        // Version 5 has no switch: an address is one, or the name of a proxy.
        let is_on = said.unwrap_or(picture.version() == 5 && (name.is_some() || picture.has("rpc.proxy.endpoint")));
        let mut others = picture.count("rpc.namespaces") > 0;
        for leaf in picture.leaves().iter().filter(|leaf| leaf.path.starts_with("rpc.namespaces")) {
            others = true;
            let text = "Methods of one kind had a backend of their own. All go to one address here, endpoint.NAME.on_rpc, whatever they begin with.";
            report.note(Group::Decide, &leaf.path, text);
        }
        if !is_on {
            return None;
        }
        let place = self.place(name.as_deref(), "rpc.proxy");
        let source = place.and_then(|place| self.source(picture, report, &place));
        if source.is_some() && !others {
            // Methods with a namespace were refused before anybody was asked.
            let key = if picture.has("rpc.proxy.endpoint") {
                "rpc.proxy.endpoint"
            } else {
                "rpc.without_namespace.proxy_name"
            };
            report.note(Group::Decide, key, "Every method goes there, also those with a namespace in front, which were refused: let it answer what it knows alone.");
        }
        source
    }

    /// Who is asked about an event of connections: `connect` or `refresh`.
    fn of_connections(&mut self, picture: &Picture, report: &mut Report<'_>, event: &str) -> Option<(String, String)> {
        let named = format!("client.{event}_proxy_name");
        let default = format!("client.proxy.{event}");
        let [enabled, endpoint] = ["enabled", "endpoint"].map(|key| format!("{default}.{key}"));
        let name = picture.text(&named);
        // Version 5 has no switch: an address is one, or the name of a proxy.
        let is_on = picture.flag(&enabled) || picture.version() == 5 && (picture.has(&endpoint) || name.is_some());
        if !is_on {
            return None;
        }
        let place = self.place(name.as_deref(), &default);
        let source = place.as_ref().and_then(|place| self.source(picture, report, place));
        if source.is_none() {
            let key = [&named, &enabled, &endpoint].into_iter().find(|key| picture.has(key)).unwrap_or(&named);
            let text = "Your backend was asked, and there is no address to ask it at. Until there is, nobody connects without a token, and nobody is prolonged without one.";
            report.note(Group::Decide, key, text);
        }
        source.zip(place)
    }

    /// Writes who says who connects, and who stays, into the endpoint.
    pub(super) fn connections(&mut self, picture: &Picture, report: &mut Report<'_>, endpoint: &mut Section) {
        if let Some((source, place)) = self.of_connections(picture, report, "connect") {
            endpoint.put_with("on_connect", quoted(&source), "who shows no token");
            for (key, to) in
                [("http_headers", "on_connect_headers"), ("emulated_headers", "on_connect_emulated_headers")]
            {
                let headers = headers(picture, report, &place, key);
                if !headers.is_empty() {
                    endpoint.put(to, list(&headers));
                }
            }
        }
        if let Some((source, _)) = self.of_connections(picture, report, "refresh") {
            endpoint.put("on_refresh", quoted(&source));
        }
        picture.settle("granular_proxy_mode");
    }

    /// Writes the sources.
    pub(super) fn write(self, report: &mut Report<'_>, ours: &mut Ours) {
        if let Some(key) = self.first {
            let text = format!(
                "Calls to your backend are signed here. Make a secret (openssl rand -hex 32), put it into the variable {SECRET_ENV}, and have your backend check the signature (docs/guide/policy.md)."
            );
            report.note(Group::ToDo, &key, text);
        }
        let about = "Your backend, which is asked about what clients do.";
        let mut sections = self.sections.into_iter();
        if let Some(first) = sections.next() {
            ours.push(first.about(about));
        }
        ours.extend(sections.collect());
    }
}

/// The headers that go along with the question who connects.
fn headers(picture: &Picture, report: &mut Report<'_>, place: &str, key: &str) -> Vec<String> {
    let own = format!("{place}.{key}");
    // Version 5 says it once for all.
    let common = format!("proxy.{key}");
    let path = if picture.has(&own) { own } else { common };
    let all = picture.texts(&path).unwrap_or_default();
    // A cookie is shown by whatever page a browser is at, so it needs pages that may.
    let is_any_page = picture.texts("client.allowed_origins").unwrap_or_default().iter().any(|origin| origin == "*");
    let is_good = |name: &String| may_go_along(name) && !(is_any_page && name == "cookie");
    let (good, bad): (Vec<String>, Vec<String>) = all.iter().map(|name| name.to_ascii_lowercase()).partition(is_good);
    if !bad.is_empty() {
        let text = "Not all of these headers can go along. A cookie needs the origins of your pages in server.origins; then write it into on_connect_headers.";
        report.note(Group::Decide, &path, text);
    } else if !good.is_empty() {
        let text = "They go along with the question who connects, and with no other call.";
        report.note(Group::Decide, &path, text);
    }
    good
}
