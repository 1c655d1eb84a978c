//! Standard output and error, and the one way a password is asked for.
//!
//! **Invariant:** what strangers wrote reaches a terminal without its control characters.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use anyhow::{Context as _, bail};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use super::ended;

/// Writes one line to standard output.
pub(super) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Writes text that ends with its own line end.
pub(super) fn say_all(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// Writes one line to standard error; when even that fails there is nobody left to tell.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `text` as it may be shown: on a terminal, control characters could move the cursor, rename the window or worse.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Whether lines go to a person's screen.
pub(super) fn is_output_a_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Rows with aligned columns; the first row is the heading.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// The first line of standard input as a password.
pub(super) fn password_from(input: &mut impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    input.take(64 * 1024).read_line(&mut line).context("cannot read the password from standard input")?;
    let password = line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        return Err(ended(2, "--password-stdin was given, and the first line of standard input is empty"));
    }
    Ok(SecretString::from(password))
}

/// Asks for a password on the terminal, without showing it.
pub(super) fn ask_password(prompt: &str) -> anyhow::Result<SecretString> {
    let tty = File::options().read(true).write(true).open("/dev/tty");
    let Ok(tty) = tty else {
        return Err(ended(2, "there is no terminal to ask for a password on; use --password-stdin"));
    };
    let mut silent = Silent::begin(&tty)?;
    write!(&tty, "{prompt}: ")?;
    let password = silent.line();
    writeln!(&tty)?;
    drop(silent);
    let password = password?;
    if password.expose_secret().is_empty() {
        return Err(ended(2, "no password was typed"));
    }
    Ok(password)
}

/// Asks for a new password twice.
pub(super) fn ask_new_password(name: &str) -> anyhow::Result<SecretString> {
    let first = ask_password(&format!("Password for {name}"))?;
    let second = ask_password("The same again")?;
    if first.expose_secret() != second.expose_secret() {
        return Err(ended(2, "the two passwords differ; nothing was changed"));
    }
    Ok(first)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
///
/// Keys arrive one by one and Ctrl-C as a key, so that no way out leaves the terminal silent.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn begin(tty: &'a File) -> anyhow::Result<Self> {
        let before = tcgetattr(tty).context("cannot ask the terminal for its state")?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(tty, OptionalActions::Flush, &silent).context("cannot silence the terminal")?;
        Ok(Self { tty, before })
    }

    fn line(&mut self) -> anyhow::Result<SecretString> {
        const INTERRUPT: u8 = 3;
        const END: u8 = 4;
        const KILL_LINE: u8 = 21;
        const BACKSPACE: [u8; 2] = [8, 127];
        let mut typed = Vec::new();
        let mut key = [0_u8];
        loop {
            if self.tty.read(&mut key)? == 0 {
                break;
            }
            match key[0] {
                b'\n' | b'\r' | END => break,
                INTERRUPT => return Err(ended(130, "")),
                KILL_LINE => typed.clear(),
                byte if BACKSPACE.contains(&byte) => {
                    // One character, which may be several bytes of UTF-8.
                    while typed.pop().is_some_and(|byte: u8| byte & 0xC0 == 0x80) {}
                }
                byte => typed.push(byte),
            }
        }
        match String::from_utf8(typed) {
            Ok(password) => Ok(SecretString::from(password)),
            Err(_) => bail!("what was typed is not UTF-8"),
        }
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // If this fails the terminal is gone, and with it whoever would miss its echo.
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}
