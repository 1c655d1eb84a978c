//! The workspace as the checks see it: its packages with their declared dependencies, and its files.
//!
//! **Invariant:** `files` holds what a checkout holds; build output, environments and git's own folder are left out.
//!
//! **Absent on purpose:** the resolved dependency graph.
//! Declared edges answer every question asked here, and reading them needs neither a lock file nor the network.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The workspace could not be read.
#[derive(Debug)]
pub struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// One workspace, read once.
#[derive(Debug)]
pub(super) struct Workspace {
    root: PathBuf,
    pub(super) packages: Vec<Package>,
    /// Every file, from the root, with `/` between the parts; sorted.
    pub(super) files: Vec<String>,
}

/// One member of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its manifest, from the root.
    pub(super) manifest: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug)]
pub(super) struct Dependency {
    /// The package's own name, whatever it is renamed to.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) features: Vec<String>,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    pub(super) fn read(root: &Path) -> Result<Self, Broken> {
        let root = root.canonicalize().map_err(|fault| Broken(format!("cannot open {}: {fault}", root.display())))?;
        let packages = read_packages(&root)?;
        let mut files = Vec::new();
        walk(&root, "", &mut files)?;
        files.sort();
        Ok(Self { root, packages, files })
    }

    /// The text of a file, or `None` for one that is no UTF-8.
    pub(super) fn text(&self, file: &str) -> Result<Option<String>, Broken> {
        let bytes = fs::read(self.root.join(file)).map_err(|fault| Broken(format!("cannot read {file}: {fault}")))?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// Whether a file or a folder lies at `path`.
    pub(super) fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.iter().any(|file| file == path || file.strip_prefix(path).is_some_and(|r| r.starts_with('/')))
    }

    pub(super) fn files_ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.iter().map(String::as_str).filter(move |file| file.ends_with(ending))
    }
}

fn read_packages(root: &Path) -> Result<Vec<Package>, Broken> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|fault| Broken(format!("cannot run cargo metadata: {fault}")))?;
    if !output.status.success() {
        return Err(Broken(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|fault| Broken(format!("cargo metadata printed no JSON: {fault}")))?;
    list(&metadata["packages"]).iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &Path, package: &Value) -> Result<Package, Broken> {
    let manifest = Path::new(text(&package["manifest_path"]));
    let manifest = manifest
        .strip_prefix(root)
        .map_err(|_| Broken(format!("{} lies outside of {}", manifest.display(), root.display())))?;
    let dependencies = list(&package["dependencies"]).iter().map(|dependency| Dependency {
        name: text(&dependency["name"]).to_owned(),
        kind: match dependency["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
        features: list(&dependency["features"]).iter().map(|feature| text(feature).to_owned()).collect(),
    });
    Ok(Package {
        name: text(&package["name"]).to_owned(),
        manifest: manifest.to_string_lossy().replace('\\', "/"),
        dependencies: dependencies.collect(),
    })
}

fn walk(root: &Path, folder: &str, files: &mut Vec<String>) -> Result<(), Broken> {
    let unreadable = |fault| Broken(format!("cannot list {folder:?}: {fault}"));
    for entry in fs::read_dir(root.join(folder)).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if !entry.file_type().map_err(unreadable)?.is_dir() {
            files.push(path);
        } else if !is_outside_the_checkout(&name) {
            walk(root, &path, files)?;
        }
    }
    Ok(())
}

fn is_outside_the_checkout(folder: &str) -> bool {
    matches!(folder, ".git" | ".venv" | "target" | "node_modules" | "__pycache__" | ".pytest_cache")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
