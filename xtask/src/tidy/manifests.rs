//! What every manifest says, and which settings files exist once.

use toml::Table;

use super::Fault;
use super::workspace::{Broken, Package, Workspace};

pub(super) fn faults(workspace: &Workspace) -> Result<Vec<Fault>, Broken> {
    let mut faults = second_clippy_files(workspace);
    for package in &workspace.packages {
        faults.extend(own_lints(workspace, package)?);
    }
    Ok(faults)
}

/// A `clippy.toml` beside a crate replaces the root's whole list of bans in silence.
fn second_clippy_files(workspace: &Workspace) -> Vec<Fault> {
    let is_clippy_file = |file: &&str| matches!(file.rsplit('/').next(), Some("clippy.toml" | ".clippy.toml"));
    let others = workspace.files_ending("clippy.toml").filter(is_clippy_file).filter(|file| *file != "clippy.toml");
    others
        .map(|file| Fault {
            place: file.to_owned(),
            what: "a second clippy.toml replaces every ban of the first".to_owned(),
            remedy: "move its entries to clippy.toml in the root".to_owned(),
        })
        .collect()
}

fn own_lints(workspace: &Workspace, package: &Package) -> Result<Option<Fault>, Broken> {
    let text = workspace.text(&package.manifest)?.unwrap_or_default();
    let manifest: Table = text.parse().unwrap_or_default();
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
    Ok((inherits != Some(true)).then(|| Fault {
        place: package.manifest.clone(),
        what: format!("{} does not take the workspace's lints", package.name),
        remedy: "write [lints] with workspace = true".to_owned(),
    }))
}
