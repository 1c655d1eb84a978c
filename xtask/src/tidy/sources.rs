//! The size of source files, and the reasons beside switched-off lints.

use super::Fault;
use super::rust_text::code_of;
use super::workspace::{Broken, Workspace};

const LINES_AIM: usize = 400;
const LINES_MAX: usize = 600;

pub(super) fn faults(workspace: &Workspace) -> Result<Vec<Fault>, Broken> {
    let mut faults = Vec::new();
    for (file, lines) in crate_sources(workspace)? {
        if lines > LINES_MAX {
            faults.push(Fault {
                place: file,
                what: format!("{lines} lines; at most {LINES_MAX}"),
                remedy: format!("split it by idea; aim under {LINES_AIM}"),
            });
        }
    }
    for file in workspace.files_ending(".rs") {
        let source = workspace.text(file)?.unwrap_or_default();
        faults.extend(lines_allowing_without_reason(&source).into_iter().map(|line| Fault {
            place: format!("{file}:{line}"),
            what: "a lint is switched off without a reason".to_owned(),
            remedy: "add `reason = \"…\"` to the attribute, or mend what the lint found".to_owned(),
        }));
    }
    Ok(faults)
}

/// Files past the aim that are still allowed.
pub(super) fn notices(workspace: &Workspace) -> Result<Vec<String>, Broken> {
    let sources = crate_sources(workspace)?.into_iter();
    let long = sources.filter(|(_, lines)| (LINES_AIM + 1..=LINES_MAX).contains(lines));
    Ok(long.map(|(file, lines)| format!("{file}: {lines} lines; aim under {LINES_AIM}")).collect())
}

/// Every `crates/*/src/**.rs` with its number of lines.
fn crate_sources(workspace: &Workspace) -> Result<Vec<(String, usize)>, Broken> {
    let mut sources = Vec::new();
    for file in workspace.files_ending(".rs") {
        let mut parts = file.split('/');
        if (parts.next(), parts.nth(1)) == (Some("crates"), Some("src")) {
            let lines = workspace.text(file)?.unwrap_or_default().lines().count();
            sources.push((file.to_owned(), lines));
        }
    }
    Ok(sources)
}

/// Line numbers of attributes that hold an `allow(…)` or `expect(…)` with no `reason` inside.
fn lines_allowing_without_reason(source: &str) -> Vec<usize> {
    let code = code_of(source);
    let mut lines = Vec::new();
    for (at, _) in code.match_indices('#') {
        let Some(attribute) = attribute_at(&code[at..]) else { continue };
        let silent = ["allow", "expect"].into_iter().flat_map(|word| groups_after(attribute, word));
        if silent.into_iter().any(|group| !group.contains("reason")) {
            lines.push(code[..at].matches('\n').count() + 1);
        }
    }
    lines
}

/// The inside of `#[…]` or `#![…]` at the start of `code`.
fn attribute_at(code: &str) -> Option<&str> {
    let open = code[1..].strip_prefix('!').unwrap_or(&code[1..]);
    open.starts_with('[').then(|| group(open, '[', ']'))
}

/// The insides of every `word(…)` in an attribute.
fn groups_after<'a>(attribute: &'a str, word: &str) -> Vec<&'a str> {
    let opening = format!("{word}(");
    let is_whole_word =
        |at: usize| !attribute[..at].ends_with(|before: char| before.is_alphanumeric() || "_-:".contains(before));
    let hits = attribute.match_indices(&opening).map(|(at, _)| at).filter(|at| is_whole_word(*at));
    hits.map(|at| group(&attribute[at + word.len()..], '(', ')')).collect()
}

/// What lies between the bracket at the start of `code` and the one that closes it.
fn group(code: &str, open: char, close: char) -> &str {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return &code[1..at];
            }
        }
    }
    code
}
