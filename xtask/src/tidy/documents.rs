//! The written part stays true: paths that the map names exist, and links lead somewhere.
//!
//! **Absent on purpose:** links to other hosts. They fail for reasons that are no fault of this repository.

use super::Fault;
use super::workspace::{Broken, Workspace};

const MAP: &str = "ARCHITECTURE.md";
const MAP_LINES_MAX: usize = 250;

pub(super) fn faults(workspace: &Workspace) -> Result<Vec<Fault>, Broken> {
    let mut faults = map_faults(workspace)?;
    for file in workspace.files_ending(".md") {
        faults.extend(link_faults(workspace, file)?);
    }
    Ok(faults)
}

fn map_faults(workspace: &Workspace) -> Result<Vec<Fault>, Broken> {
    if !workspace.holds(MAP) {
        return Ok(vec![Fault {
            place: MAP.to_owned(),
            what: "the map of the repository is missing".to_owned(),
            remedy: "write it: rooms, arrows, the ways data takes, what is absent on purpose".to_owned(),
        }]);
    }
    let text = workspace.text(MAP)?.unwrap_or_default();
    let lines = text.lines().count();
    let mut faults = Vec::new();
    if lines >= MAP_LINES_MAX {
        faults.push(Fault {
            place: MAP.to_owned(),
            what: format!("{lines} lines; it stays under {MAP_LINES_MAX}"),
            remedy: "say less, or move the reasons to docs/adr/".to_owned(),
        });
    }
    for (line, prose) in prose_lines(&text) {
        let (_, spans) = without_code_spans(prose);
        let lost = spans.into_iter().filter(|span| looks_like_path(span) && !workspace.holds(span));
        faults.extend(lost.map(|span| Fault {
            place: format!("{MAP}:{line}"),
            what: format!("{span} does not exist"),
            remedy: "write the path from the root as it is now, or drop the sentence".to_owned(),
        }));
    }
    Ok(faults)
}

/// Whether a code span of the map means a file or a folder: `crates/lychgate-hub`, `deny.toml`, but not `/ws` or `Sink`.
fn looks_like_path(span: &str) -> bool {
    const ENDINGS: &[&str] = &[".md", ".rs", ".toml", ".yml", ".yaml", ".json", ".py", ".sh", ".sql"];
    let spelled = span.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let written_from_root = !span.starts_with('/') && span.contains(|c: char| c.is_ascii_alphanumeric());
    spelled && written_from_root && (span.contains('/') || ENDINGS.iter().any(|ending| span.ends_with(ending)))
}

fn link_faults(workspace: &Workspace, file: &str) -> Result<Vec<Fault>, Broken> {
    let text = workspace.text(file)?.unwrap_or_default();
    let mut faults = Vec::new();
    for (line, prose) in prose_lines(&text) {
        let (prose, _) = without_code_spans(prose);
        for target in link_targets(&prose) {
            if let Some((what, remedy)) = link_fault(workspace, file, &target)? {
                faults.push(Fault { place: format!("{file}:{line}"), what, remedy: remedy.to_owned() });
            }
        }
    }
    Ok(faults)
}

fn link_fault(workspace: &Workspace, file: &str, target: &str) -> Result<Option<(String, &'static str)>, Broken> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(None);
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let Some(there) = resolve(file, path) else {
        return Ok(Some((format!("the link {target} leaves the repository"), "link relative to this file")));
    };
    if !workspace.holds(&there) {
        return Ok(Some((
            format!("the link {target} leads nowhere"),
            "link to a file that exists, relative to this one",
        )));
    }
    let Some(anchor) = anchor.filter(|_| there.ends_with(".md")) else { return Ok(None) };
    let headings = anchors_of(&workspace.text(&there)?.unwrap_or_default());
    let lost = !headings.iter().any(|heading| heading == anchor);
    Ok(lost.then(|| {
        (format!("{there} has no heading for #{anchor}"), "use the heading's words in lower case with dashes")
    }))
}

/// The path from the root that `path` means in `file`, or `None` when it leaves the repository.
fn resolve(file: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(file.to_owned());
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" if path.starts_with('/') => return None,
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Lines outside of fenced blocks, with their numbers.
fn prose_lines(text: &str) -> Vec<(usize, &str)> {
    let mut fence = None;
    let mut lines = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, None) => lines.push((n + 1, line)),
            (None, Some(_)) => fence = mark,
            (Some(_), _) if fence == mark => fence = None,
            (Some(_), _) => {}
        }
    }
    lines
}

/// A line with its code spans emptied, and the spans.
fn without_code_spans(line: &str) -> (String, Vec<&str>) {
    let mut prose = String::new();
    let mut spans = Vec::new();
    let mut parts = line.split('`').peekable();
    while let Some(text) = parts.next() {
        prose.push_str(text);
        // A span needs its closing backtick.
        if let Some(span) = parts.next() {
            if parts.peek().is_some() {
                prose.push_str("``");
                spans.push(span);
            } else {
                prose.push_str(span);
            }
        }
    }
    (prose, spans)
}

/// Targets of `[text](target)`, `[text](target "title")` and `[name]: target`.
fn link_targets(prose: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.extend(inline.filter_map(|target| target.split_whitespace().next()).map(unbracketed));
    if let Some((_, target)) = prose.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
        targets.extend(target.split_whitespace().next().map(unbracketed));
    }
    targets
}

fn unbracketed(target: &str) -> String {
    target.trim_start_matches('<').trim_end_matches('>').to_owned()
}

/// The anchors a renderer makes of a document's headings.
fn anchors_of(text: &str) -> Vec<String> {
    let headings = prose_lines(text).into_iter().filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len() && title.starts_with(' ')).then(|| title.trim())
    });
    let mut anchors: Vec<String> = Vec::new();
    for title in headings {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let repeated = anchors.iter().filter(|known| **known == anchor).count();
        anchors.push(if repeated == 0 { anchor } else { format!("{anchor}-{repeated}") });
    }
    anchors
}
