//! Which crate may name which technology, so that each can be replaced in one place.
//!
//! It holds for what ships: development dependencies are free, since a test may well speak through a foreign client.

use super::Fault;
use super::workspace::{Kind, Package, Workspace};

/// Packages that only the listed crates may depend on.
const ONLY_IN: &[(&[&str], &[&str])] = &[
    (
        &["axum", "axum-core", "axum-extra", "tower", "tower-http", "tower-service", "tower-layer"],
        &["lychgate-gateway"],
    ),
    // The binary's terminal client speaks HTTP as a client.
    (&["http", "http-body", "http-body-util", "hyper", "hyper-util"], &["lychgate-gateway", "lychgate"]),
    (&["prometheus-client"], &["lychgate-gateway"]),
    (&["sqlx", "sqlx-core", "sqlx-sqlite", "sqlx-postgres", "libsqlite3-sys", "rusqlite"], &["lychgate-store"]),
    (&["jsonwebtoken"], &["lychgate-token"]),
    (&["argon2", "bcrypt"], &["lychgate-service"]),
    (&["redis", "async-nats"], &["lychgate-broker"]),
    (&["reqwest"], &["lychgate-upstream"]),
    (&["anyhow", "clap", "tracing-subscriber"], &["lychgate", "xtask"]),
];

/// Packages that the listed crates must do without: they stay free of runtimes and, for the hub, of formats too.
const NEVER_IN: &[(&[&str], &[&str])] = &[
    (
        &["tokio", "tokio-util", "tokio-stream", "tokio-rustls", "tokio-tungstenite", "async-std", "smol"],
        &["lychgate-token", "lychgate-protocol", "lychgate-hub"],
    ),
    (&["serde", "serde_json", "jiff", "chrono", "time", "rand"], &["lychgate-hub"]),
];

pub(super) fn faults(workspace: &Workspace) -> Vec<Fault> {
    workspace.packages.iter().flat_map(faults_of_package).collect()
}

fn faults_of_package(package: &Package) -> Vec<Fault> {
    let shipped = package.dependencies.iter().filter(|dependency| dependency.kind != Kind::Dev);
    shipped
        .filter_map(|dependency| remedy_for(&package.name, &dependency.name).map(|r| (dependency, r)))
        .map(|(dependency, remedy)| Fault {
            place: package.manifest.clone(),
            what: format!("{} depends on {}", package.name, dependency.name),
            remedy,
        })
        .collect()
}

fn remedy_for(package: &str, technology: &str) -> Option<String> {
    let names = |list: &[&str], name: &str| list.contains(&name);
    let elsewhere = ONLY_IN.iter().find(|(packages, homes)| names(packages, technology) && !names(homes, package));
    if let Some((_, homes)) = elsewhere {
        return Some(format!(
            "{technology} lives in {} alone: ask for it through a port or a value",
            homes.join(" and ")
        ));
    }
    let banned = NEVER_IN.iter().any(|(packages, crates)| names(packages, technology) && names(crates, package));
    banned.then(|| format!("{package} does without {technology}: take the result as an argument"))
}
