//! Holds a workspace to the rules its documents promise.
//!
//! Owns the list of checks and the report; every check is a function from a [`Workspace`] to faults.
//! All of them run, always: a reader mends everything in one go instead of one fault per run.
//!
//! **Invariant:** nothing is changed on disk, and no check needs the network.
//!
//! **Absent on purpose:** what rustc, clippy, rustfmt and cargo-deny hold already.

mod documents;
mod edges;
mod manifests;
mod names;
mod rust_text;
mod sources;
mod technology;
mod workspace;

use std::fmt;
use std::path::Path;

pub use workspace::Broken;
use workspace::Workspace;

/// One broken rule: where, what, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file, from the root of the repository, with a line number where one helps.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// What a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Broken rules; any one fails the run.
    pub faults: Vec<Fault>,
    /// Things worth knowing that fail nothing.
    pub notices: Vec<String>,
}

/// Runs every check on the workspace whose root manifest lies in `root`.
///
/// # Errors
///
/// Returns [`Broken`] when the workspace cannot be read at all, which says nothing about its rules.
pub fn check(root: &Path) -> Result<Report, Broken> {
    let workspace = Workspace::read(root)?;
    let mut report = Report::default();
    report.faults.extend(edges::faults(&workspace));
    report.faults.extend(technology::faults(&workspace));
    report.faults.extend(manifests::faults(&workspace)?);
    report.faults.extend(documents::faults(&workspace)?);
    report.faults.extend(sources::faults(&workspace)?);
    report.faults.extend(names::faults(&workspace)?);
    report.faults.sort();
    report.notices = sources::notices(&workspace)?;
    Ok(report)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for notice in &self.notices {
            writeln!(f, "notice: {notice}")?;
        }
        for Fault { place, what, remedy } in &self.faults {
            writeln!(f, "fault: {place}: {what}\n       remedy: {remedy}")?;
        }
        match self.faults.len() {
            0 => writeln!(f, "tidy: no faults"),
            1 => writeln!(f, "tidy: 1 fault"),
            n => writeln!(f, "tidy: {n} faults"),
        }
    }
}
