//! The HTTP API that programs of the application use.

use lychgate_gateway::http::api::channels::method_names;

use super::section::section;
use super::settings::check_path;
use super::shape::{Count, Flag, KIB, MIB, Size, Text};

section! {
    /// The HTTP API by which a program of the application fills this server's own registry, who owns what and who is a
    /// member of what, and by which it publishes in the channels of namespaces, asks about them and puts clients into them.
    /// It shows a key that `lychgate apikey create` made, as `Authorization: Bearer` or as `X-API-Key`.
    ApiSettings = "api" {
        /// Whether it is served, on the public port.
        enabled: bool = Flag, false;
        /// What its paths begin with; they go on with `/resources`, and where there are namespaces with `/publish` and so on.
        path: String = Text { what: "a path", check: check_path }, "/api".to_owned();
        /// The largest body of a request.
        body_bytes_max: usize = Size { least: KIB, most: 16 * MIB }, 256 * KIB;
        /// Keys that are not accepted, from one address. After so many in a minute its next requests are told to come back later, whatever key they show.
        failed_keys_per_minute_per_address: u32 = Count::of(1, 1_000_000), 30;
    }
}

impl ApiSettings {
    /// What the paths begin with; empty where they begin at the root.
    pub fn base(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// Which part of the API `path` is one of, or would be mistaken for one of; channels have theirs if `has_channels`.
    pub(super) fn claims(&self, path: &str, has_channels: bool) -> Option<&'static str> {
        let own = path.strip_prefix(self.base())?.strip_prefix('/').filter(|_| self.enabled)?;
        let (first, rest) = own.split_once('/').map_or((own, None), |(first, rest)| (first, Some(rest)));
        if first == RESOURCES {
            return Some(RESOURCES);
        }
        method_names().find(|name| has_channels && rest.is_none() && *name == first)
    }
}

/// Where the registry is.
const RESOURCES: &str = "resources";
