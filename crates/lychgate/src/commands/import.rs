//! `config import`: what another server's configuration comes to here.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::ended;
use super::terminal::{complain, harmless, say_all};
use crate::import::{self, Stopped};

const EXAMPLES: &str = "\
What comes out is a beginning that can be checked and read, with comments. On standard error, and at the head of the
file, stands what it cannot say: by the key of the old file, what it meant and what to do. Nothing is dropped in silence,
no secret is repeated, and what was closed stays closed: where the same cannot be said, less is open until you decide.

Examples:
  lychgate config import --from centrifugo config.json > lychgate.toml
      The configuration to a file, and what to do about it to the terminal.
  lychgate config import --from centrifugo config.yaml --out lychgate.toml
      The same; a file that is there already is left alone.
  lychgate config check --config lychgate.toml
      Whether it is whole, once its secrets are where it says.

Exit codes:
  0  written, whatever there is to decide
  2  the file cannot be read, is none of Centrifugo 5 or 6, or a value is of another kind than its key has";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// Whose configuration it is
    #[arg(long, value_name = "SERVER")]
    from: From,
    /// The file: JSON, YAML or TOML, by its name or else by what it looks like
    file: PathBuf,
    /// Where to write ours, instead of standard output; never over a file that is there
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum From {
    /// Centrifugo, version 5 or 6
    Centrifugo,
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let From::Centrifugo = self.from;
        let imported = import::centrifugo(&self.file).map_err(|stopped| match stopped {
            Stopped::Usage(text) => ended(2, harmless(&text)),
            Stopped::Faults(faults) => {
                ended(2, format!("{} cannot be read:\n  {}", self.file.display(), harmless(&faults.join("\n  "))))
            }
        })?;
        match &self.out {
            None => say_all(&imported.text)?,
            Some(path) => {
                let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
                    if error.kind() == ErrorKind::AlreadyExists {
                        return ended(2, format!("{} is there already; it was left as it is", path.display()));
                    }
                    anyhow::Error::from(error).context(format!("cannot write {}", path.display()))
                })?;
                file.write_all(imported.text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        let words = import::in_words(&imported.notes);
        if !words.is_empty() {
            complain(words.trim_end());
        }
        Ok(())
    }
}
