//! Which crate may see which: arrows run from a higher layer to a lower one, never up and never sideways.
//!
//! Development dependencies follow the same arrows, since a crate that is tested through a crate above it is in the
//! wrong place. What they may do, and nothing else may, is switch on a lower crate's `testing` feature; a crate may
//! also name itself there to get its own.

use super::Fault;
use super::workspace::{Dependency, Kind, Package, Workspace};

/// Every crate of the product with its layer; the lowest is 0.
const LAYERS: &[(&str, u8)] = &[
    ("lychgate-protocol", 0),
    ("lychgate-token", 0),
    ("lychgate-hub", 1),
    ("lychgate-service", 2),
    ("lychgate-broker", 3),
    ("lychgate-gateway", 3),
    ("lychgate-store", 3),
    ("lychgate-upstream", 3),
    ("lychgate", 4),
];

pub(super) fn faults(workspace: &Workspace) -> Vec<Fault> {
    workspace.packages.iter().flat_map(faults_of_package).collect()
}

fn faults_of_package(package: &Package) -> Vec<Fault> {
    let layer = layer_of(&package.name);
    if layer.is_none() && package.manifest.starts_with("crates/") {
        return vec![Fault {
            place: package.manifest.clone(),
            what: format!("crate {} has no layer", package.name),
            remedy: "give it one in LAYERS of xtask/src/tidy/edges.rs and in ARCHITECTURE.md".to_owned(),
        }];
    }
    package.dependencies.iter().filter_map(|dependency| fault_of_edge(package, layer, dependency)).collect()
}

fn fault_of_edge(package: &Package, from: Option<u8>, dependency: &Dependency) -> Option<Fault> {
    let to = layer_of(&dependency.name)?;
    let names_itself = dependency.kind == Kind::Dev && dependency.name == package.name;
    let runs_down = from.is_some_and(|from| to < from) || names_itself;
    let fault = |what, remedy: &str| Fault { place: package.manifest.clone(), what, remedy: remedy.to_owned() };
    if !runs_down {
        return Some(match from {
            Some(from) => fault(
                format!("{} (layer {from}) depends on {} (layer {to})", package.name, dependency.name),
                "an arrow runs to a lower layer alone: move what is shared down, or pass it in as a value or a port",
            ),
            None => fault(
                format!("{} depends on {}", package.name, dependency.name),
                "a chore reads the product from outside: drop the dependency",
            ),
        });
    }
    let ships_fakes = dependency.kind != Kind::Dev && dependency.features.iter().any(|feature| feature == "testing");
    ships_fakes.then(|| {
        fault(
            format!("{} builds the `testing` feature of {} into the product", package.name, dependency.name),
            "ask for `testing` under [dev-dependencies]",
        )
    })
}

fn layer_of(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}
