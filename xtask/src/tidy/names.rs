//! The product names no application that it serves: an application is a configuration file and never a case in the code.
//!
//! The tests of the whole program may name one: they hold the files under `examples/` against its contract.

use super::Fault;
use super::workspace::{Broken, Workspace};

/// Applications whose name, written in one, is a coinage: found anywhere, in any case.
const COINED: &[&str] = &["shipvox", "fearallah", "echovault", "songnodes"];
/// Applications whose name is a short word: found only as a whole word or a whole part of an identifier.
const SHORT: &[&str] = &["zen"];

/// Where the examples are tested, each by its name.
const TESTS_OF_EXAMPLES: &str = "crates/lychgate/tests/it/";

pub(super) fn faults(workspace: &Workspace) -> Result<Vec<Fault>, Broken> {
    let mut faults = Vec::new();
    for file in workspace.files.iter().filter(|file| is_product(file)) {
        let Some(text) = workspace.text(file)? else { continue };
        let lines = text.lines().enumerate().map(|(n, line)| (format!("{file}:{}", n + 1), line));
        for (place, line) in std::iter::once((file.clone(), file.as_str())).chain(lines) {
            faults.extend(names_in(line).into_iter().map(|name| Fault {
                place: place.clone(),
                what: format!("names the application {name:?}"),
                remedy: "say it in a file under examples/ and test that the behaviour follows the file".to_owned(),
            }));
        }
    }
    Ok(faults)
}

fn is_product(file: &str) -> bool {
    file.starts_with("crates/") && !file.starts_with(TESTS_OF_EXAMPLES)
}

fn names_in(line: &str) -> Vec<&'static str> {
    let lower = line.to_lowercase();
    let coined = COINED.iter().copied().filter(|name| lower.replace(['_', '-', ' '], "").contains(name));
    let words = words_in(line);
    coined.chain(SHORT.iter().copied().filter(|name| words.iter().any(|word| word == name))).collect()
}

/// The words of a line in lower case; identifiers are cut at underscores and humps.
fn words_in(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in line.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.extend(character.to_lowercase()));
        }
        was_lower = character.is_lowercase();
    }
    words
}
