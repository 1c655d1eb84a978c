//! Secrets and the names of the variables that hold them.
//!
//! **Invariant:** neither is ever repeated in a fault.

use secrecy::SecretString;

use super::super::tree::Node;
use super::{Report, Shape, quote, text};

/// A secret: read like text, never shown.
pub(in crate::config) struct Hidden;

impl Shape for Hidden {
    type Value = SecretString;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<SecretString> {
        match text(node) {
            Some(secret) => Some(SecretString::from(secret)),
            None => report.kind(node, "text", "Write the secret in double quotes, or name its file with secret_file"),
        }
    }

    fn show(&self, _: &SecretString) -> Option<String> {
        Some(quote("(redacted)"))
    }

    fn describe(&self) -> String {
        "secret text".to_owned()
    }
}

/// The name of an environment variable that holds a secret.
///
/// A name that looks like a secret itself is not repeated: people put the secret here by mistake.
pub(in crate::config) struct VariableName;

impl Shape for VariableName {
    type Value = String;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<String> {
        let remedy = "Write the name of the variable, for example \"JWT_SECRET_KEY\"; its value stays outside the file";
        let Some(text) = text(node) else { return report.kind(node, "the name of a variable in quotes", remedy) };
        let is_name = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name {
            return Some(text.to_owned());
        }
        report.wrong(node, "this is not the name of a variable (letters, digits and _)", remedy)
    }

    fn show(&self, value: &String) -> Option<String> {
        Some(quote(value))
    }

    fn describe(&self) -> String {
        "name of an environment variable".to_owned()
    }
}
