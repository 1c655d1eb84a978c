//! The reference page, made from the same definitions as the parser.

use std::fmt::Write as _;

use super::api::ApiSettings;
use super::board::BoardSettings;
use super::codec::{CodecSettings, RuleSettings};
use super::endpoint::EndpointSettings;
use super::entrance::{IdentitySettings, PolicySettings};
use super::events::EventsSettings;
use super::login::Login;
use super::namespace::{NamespacePolicySettings, NamespaceSettings};
use super::outside::{RedisSettings, SourceSettings};
use super::profile::ProfileSettings;
use super::route::RouteSettings;
use super::section::{Section, SectionDoc, SettingDoc};
use super::sessions::{RevocationSettings, SessionSettings};
use super::settings::{Accounts, Database, IssuerSettings, Limits, Log, Server, TicketSettings, Tokens};
use super::stream::StreamSettings;

const HEAD: &str = "\
# Configuration reference

One TOML file, given with `--config`.
Every key has a default unless its row says otherwise, and a key that is not on this page stops the start.
Several files are laid over each other in the order they are given: tables are merged key by key, anything else is replaced.

Times are written with a unit: `\"500ms\"`, `\"25s\"`, `\"30m\"`, `\"24h\"`, `\"7d\"`.
Sizes are a number of bytes, or a number with a unit: `65536` or `\"64KiB\"`.

Each key can also be set by the environment variable in its row, which lies over all files.
In a named section the `NAME` is part of the variable, in capitals and with `_` for `-`: `LYCHGATE__ENDPOINT__WS__PATH` is `endpoint.ws.path`.
Lists are written there with commas.

`lychgate config check` reports everything that is wrong with a configuration, and `lychgate config print` shows the one that results, with the origin of each value.

This page is made by `lychgate config reference`.
";

const TAIL: &str = "
## Variables of other programs

So that a deployment which sets them already need not rename anything.
They lie over the files and below `LYCHGATE__…`.

| variable | stands for |
|---|---|
| `JWT_SECRET_KEY`, `SECRET_KEY`, `JWT_SECRET` | `tokens.secret`, with `signing = \"hs256\"`. Different values in two of them are a fault. |
| `ACCESS_TOKEN_EXPIRE_MINUTES`, `JWT_EXPIRATION_HOURS` | `tokens.lifetime`, in minutes or in hours. Two that differ are a fault. |
| `ALGORITHM` | nothing by itself: it must agree with `tokens.signing` |
| `WS_PORT` | the port of `server.listen` |
| `LOG_LEVEL` | `log.level` |
| `WS_TEST_TOKEN` | the test token of `--dev`; ignored with a warning otherwise |
";

/// The whole page, as Markdown.
pub fn reference() -> String {
    let mut out = HEAD.to_owned();
    for doc in sections() {
        write_section(&mut out, &doc);
    }
    out.push_str(TAIL);
    out
}

/// One section of the page.
///
/// # Errors
///
/// The sections there are, when `header` is none of them.
pub fn reference_of(header: &str) -> Result<String, Vec<&'static str>> {
    let all = sections();
    let is_meant = |doc: &&SectionDoc| doc.header == header || doc.header.replace(".NAME", "") == header;
    let Some(doc) = all.iter().find(is_meant) else { return Err(all.iter().map(|doc| doc.header).collect()) };
    let mut out = String::new();
    write_section(&mut out, doc);
    Ok(out.trim_start().to_owned())
}

fn sections() -> Vec<SectionDoc> {
    vec![
        Server::doc(),
        Log::doc(),
        Database::doc(),
        Tokens::doc(),
        IssuerSettings::doc(),
        Accounts::doc(),
        Login::doc(),
        SessionSettings::doc(),
        RevocationSettings::doc(),
        TicketSettings::doc(),
        ApiSettings::doc(),
        EventsSettings::doc(),
        Limits::doc(),
        RedisSettings::doc(),
        SourceSettings::doc(),
        BoardSettings::doc(),
        NamespaceSettings::doc(),
        NamespacePolicySettings::doc(),
        RouteSettings::doc(),
        ProfileSettings::doc(),
        EndpointSettings::doc(),
        IdentitySettings::doc(),
        PolicySettings::doc(),
        StreamSettings::doc(),
        CodecSettings::doc(),
        RuleSettings::doc(),
    ]
}

fn write_section(out: &mut String, doc: &SectionDoc) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\n## `[{}]`\n\n{}\n\n", doc.header, doc.about);
    out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    let prefix = doc.header.to_uppercase().replace('.', "__");
    for SettingDoc { name, about, shape, default } in &doc.settings {
        let variable = format!("LYCHGATE__{prefix}__{}", name.to_uppercase());
        let default = default.as_ref().map_or("–".to_owned(), |default| format!("`{}`", escape(default)));
        let (shape, about) = (escape(shape), escape(about));
        let _ = writeln!(out, "| `{name}` | {shape} | {default} | {about}<br>`{variable}` |");
    }
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
