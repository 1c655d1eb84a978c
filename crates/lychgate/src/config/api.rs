//! The HTTP API that programs of the application use.

use super::section::section;
use super::settings::check_path;
use super::shape::{Count, Flag, KIB, MIB, Size, Text};

section! {
    /// The HTTP API by which a program of the application fills this server's own registry: who owns what, and who is a
    /// member of what. It shows a key that `lychgate apikey create` made, as `Authorization: Bearer` or as `X-API-Key`.
    ApiSettings = "api" {
        /// Whether it is served, on the public port.
        enabled: bool = Flag, false;
        /// What its paths begin with; they go on with `/resources`.
        path: String = Text { what: "a path", check: check_path }, "/api".to_owned();
        /// The largest body of a request.
        body_bytes_max: usize = Size { least: KIB, most: MIB }, 16 * KIB;
        /// Keys that are not accepted, from one address. After so many in a minute its next requests are told to come back later, whatever key they show.
        failed_keys_per_minute_per_address: u32 = Count::of(1, 1_000_000), 30;
    }
}

impl ApiSettings {
    /// What the paths begin with; empty where they begin at the root.
    pub fn base(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// Whether `path` is one of the API's, or would be mistaken for one.
    pub(super) fn claims(&self, path: &str) -> bool {
        let own = path.strip_prefix(self.base()).and_then(|rest| rest.strip_prefix("/resources"));
        self.enabled && own.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
