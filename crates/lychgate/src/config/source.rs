//! What a configuration is made from: texts, variables and the machine, gathered once.
//!
//! Everything outside is an argument here, so that a test can give any of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::fault::{Faults, Place};

/// How places call the example in the binary.
pub(super) const BUILT_IN_FILE: &str = "examples/ship.toml (built in)";

/// Everything [`load`](super::load) looks at.
#[derive(Clone, Default)]
pub struct Sources {
    /// The files in the order they are laid over each other: name and text.
    pub files: Vec<(String, String)>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Whether `--dev` was given.
    pub dev: bool,
    /// The machine.
    pub machine: Machine,
}

/// What the machine allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// How many descriptors the process may have open; nothing when there is no limit.
    pub descriptors: Option<u64>,
}

impl Machine {
    /// Asks the system.
    ///
    /// The hard limit counts, since `serve` raises the soft one to it.
    pub fn current() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        Self { descriptors: limit.maximum }
    }
}

impl Sources {
    /// Reads the files, the environment and the machine.
    ///
    /// In development without a file, the example in the binary is used.
    /// Otherwise, without a file, `lychgate.toml` in the working directory is.
    ///
    /// # Errors
    ///
    /// One fault for each file that cannot be read.
    pub fn gather(paths: &[PathBuf], dev: bool) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut sources = Self { dev, machine: Machine::current(), ..Self::default() };
        // A variable that is not text can be neither a setting nor a secret of ours.
        sources.environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        if paths.is_empty() && dev {
            sources.files.push((BUILT_IN_FILE.to_owned(), super::DEV_EXAMPLE.to_owned()));
            return Ok(sources);
        }
        let default = [PathBuf::from("lychgate.toml")];
        for path in if paths.is_empty() { &default } else { paths } {
            match std::fs::read_to_string(path) {
                Ok(text) => sources.files.push((path.display().to_string(), text)),
                Err(error) if paths.is_empty() => faults.add(
                    Place::Nowhere,
                    "",
                    format!("no file was named, and lychgate.toml cannot be read here: {error}"),
                    "Name one with --config FILE, or try the server with --dev, which needs none",
                ),
                Err(error) => faults.add(
                    Place::Nowhere,
                    "",
                    format!("cannot read {}: {error}", path.display()),
                    "Check the path after --config; it is relative to the working directory",
                ),
            }
        }
        if faults.is_empty() { Ok(sources) } else { Err(faults) }
    }

    /// The names of the files, for places to share.
    pub(super) fn file_names(&self) -> Vec<Arc<str>> {
        self.files.iter().map(|(name, _)| Arc::from(name.as_str())).collect()
    }

    /// The value of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// All variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}
