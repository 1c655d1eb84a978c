//! Reading accounts from a file, a line at a time.
//!
//! A row is one line, in both formats. So one stray quote costs its own row and not the rest of the file,
//! the number of a line is always right, and a file of any length takes the memory of one line.
//!
//! **Invariant:** no error holds a value from the file: a fault in a line must not print the password in it.
//!
//! **Absent on purpose:** no dialects. Columns are separated by commas and a header names them (RFC 4180 section 2),
//! and no quoted value spans lines, since none of the columns could hold a line break anyway.

use std::io::{self, BufRead};

use secrecy::SecretString;
use serde::Deserialize;

use super::import_faults::{RowError, RowFault, UnreadableFile};
use crate::ports::users::{Attributes, Email, PasswordHash, ReadAttributes, UserName};

/// The most bytes of a line.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// How a file of accounts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// A header and then a row per line, separated by commas.
    Csv,
    /// A JSON object per line.
    JsonLines,
}

/// The rows of a file, with what is wrong in them.
pub struct ImportRows<R> {
    reader: R,
    format: Format,
    line: u64,
    bytes: Vec<u8>,
    is_over: bool,
}

enum Format {
    Csv(Vec<Column>),
    JsonLines,
}

/// An account as a row describes it.
#[derive(Debug)]
pub struct ImportRow {
    /// The number of its line, counted from 1.
    pub line: u64,
    /// The name.
    pub name: UserName,
    /// The e-mail address.
    pub email: Option<Email>,
    /// The password, in one form or the other.
    pub secret: ImportSecret,
    /// Whether the account may log in; `true` where the row does not say.
    pub active: bool,
    /// What else there is to say of the account. In CSV the column holds a JSON object.
    pub attributes: Attributes,
}

/// A password as a row gives it.
#[derive(Debug)]
pub enum ImportSecret {
    /// A hash from elsewhere.
    Hash(PasswordHash),
    /// The password itself.
    Password(SecretString),
}

impl<R: BufRead> ImportRows<R> {
    /// Starts reading; of a CSV file, the header.
    ///
    /// # Errors
    ///
    /// [`UnreadableFile`] when the file cannot be read or has no usable header.
    pub fn new(reader: R, format: ImportFormat) -> Result<Self, UnreadableFile> {
        let mut rows = Self { reader, format: Format::JsonLines, line: 0, bytes: Vec::new(), is_over: false };
        if format == ImportFormat::Csv {
            rows.format = Format::Csv(rows.header()?);
        }
        Ok(rows)
    }

    /// The number of the line that was read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn header(&mut self) -> Result<Vec<Column>, UnreadableFile> {
        let length = self.next_line()?;
        let line = self.line;
        let fault = |what: String| UnreadableFile::Header { line, what };
        let names = match length {
            LineLength::End => return Err(fault("the file is empty".into())),
            LineLength::Long => return Err(fault(RowError::LineLong.to_string())),
            LineLength::Fits => self.text().and_then(split).map_err(|error| fault(error.to_string()))?,
        };
        let mut columns: Vec<Column> = Vec::new();
        for name in &names {
            let column = Column::named(name).ok_or_else(|| fault(format!("there is no column {:?}", shown(name))))?;
            if columns.contains(&column) {
                return Err(fault(format!("the column {} occurs twice", shown(name))));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::Name) {
            return Err(fault("the column name is missing".into()));
        }
        if !columns.contains(&Column::PasswordHash) && !columns.contains(&Column::Password) {
            return Err(fault("a column password_hash or password is missing".into()));
        }
        Ok(columns)
    }

    /// The next row; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The outer error ends the file. The inner one is about this row alone, and the next call reads the next.
    pub fn next_row(&mut self) -> Result<Option<Result<ImportRow, RowFault>>, UnreadableFile> {
        let row = match self.next_line()? {
            LineLength::End => return Ok(None),
            LineLength::Long => Err(RowError::LineLong),
            LineLength::Fits => self.row(),
        };
        Ok(Some(row.map_err(|error| RowFault { line: self.line, error })))
    }

    fn row(&self) -> Result<ImportRow, RowError> {
        let text = self.text()?;
        let raw = match &self.format {
            Format::Csv(columns) => RawRow::from_csv(columns, text)?,
            Format::JsonLines => RawRow::from_json(text)?,
        };
        raw.check(self.line)
    }

    fn text(&self) -> Result<&str, RowError> {
        std::str::from_utf8(&self.bytes).map_err(|_| RowError::NotUtf8)
    }

    /// Reads lines until one is not blank.
    fn next_line(&mut self) -> Result<LineLength, UnreadableFile> {
        while !self.is_over {
            self.line += 1;
            let length = read_line(&mut self.reader, &mut self.bytes);
            let length = length.map_err(|error| UnreadableFile::Io { line: self.line, error });
            self.is_over = !matches!(length, Ok(LineLength::Fits | LineLength::Long));
            if self.line == 1 && self.bytes.starts_with("\u{FEFF}".as_bytes()) {
                self.bytes.drain(..3);
            }
            match length? {
                LineLength::Fits if self.bytes.trim_ascii().is_empty() => {}
                length => return Ok(length),
            }
        }
        Ok(LineLength::End)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Email,
    PasswordHash,
    Password,
    Active,
    Attributes,
}

impl Column {
    fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "name" => Some(Self::Name),
            "email" => Some(Self::Email),
            "password_hash" => Some(Self::PasswordHash),
            "password" => Some(Self::Password),
            "active" => Some(Self::Active),
            "attributes" => Some(Self::Attributes),
            _ => None,
        }
    }
}

/// A row before its values were looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    name: String,
    email: Option<String>,
    password_hash: Option<String>,
    password: Option<String>,
    #[serde(default = "yes")]
    active: bool,
    attributes: Option<ReadAttributes>,
}

fn yes() -> bool {
    true
}

impl RawRow {
    fn from_csv(columns: &[Column], text: &str) -> Result<Self, RowError> {
        let values = split(text)?;
        if values.len() != columns.len() {
            return Err(RowError::ColumnCount { found: values.len(), expected: columns.len() });
        }
        let mut row = Self {
            name: String::new(),
            email: None,
            password_hash: None,
            password: None,
            active: true,
            attributes: None,
        };
        for (column, value) in columns.iter().zip(&values) {
            match column {
                Column::Name => row.name = value.into(),
                Column::Email => row.email = Some(value.into()),
                Column::PasswordHash => row.password_hash = Some(value.into()),
                Column::Password => row.password = Some(value.into()),
                Column::Active => row.active = truth(value)?,
                Column::Attributes if value.trim().is_empty() => {}
                Column::Attributes => row.attributes = Some(ReadAttributes(Attributes::from_json(value))),
            }
        }
        Ok(row)
    }

    fn from_json(text: &str) -> Result<Self, RowError> {
        serde_json::from_str(text).map_err(|error| match error.classify() {
            // Its message would quote the value that does not fit, and that may be a password.
            serde_json::error::Category::Data => RowError::OtherJson { column: error.column() },
            _ => RowError::NotJson { column: error.column() },
        })
    }

    fn check(self, line: u64) -> Result<ImportRow, RowError> {
        let given = |value: Option<String>| value.filter(|text| !text.is_empty());
        let name = UserName::new(&self.name).map_err(RowError::Name)?;
        let email = given(self.email).as_deref().map(Email::new).transpose().map_err(RowError::Email)?;
        let secret = match (given(self.password_hash), given(self.password)) {
            (Some(hash), None) => ImportSecret::Hash(PasswordHash::new(hash)),
            (None, Some(password)) => ImportSecret::Password(password.into()),
            (None, None) => return Err(RowError::NoSecret),
            (Some(_), Some(_)) => return Err(RowError::TwoSecrets),
        };
        let attributes = self.attributes.map_or_else(|| Ok(Attributes::default()), |read| read.0)?;
        Ok(ImportRow { line, name, email, secret, active: self.active, attributes })
    }
}

fn truth(value: &str) -> Result<bool, RowError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "" | "true" | "t" | "yes" | "1" => Ok(true),
        "false" | "f" | "no" | "0" => Ok(false),
        _ => Err(RowError::Active),
    }
}

/// The values of one line of CSV.
fn split(line: &str) -> Result<csv::StringRecord, RowError> {
    // Quotes come in pairs, also where two of them stand for one (RFC 4180 section 2, rules 5 to 7).
    if !line.bytes().filter(|b| *b == b'"').count().is_multiple_of(2) {
        return Err(RowError::OpenQuote);
    }
    let mut values = csv::StringRecord::new();
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len().max(1))
        .from_reader(line.as_bytes())
        .read_record(&mut values)
        .map_err(|_| RowError::NotUtf8)?;
    Ok(values)
}

/// A name from the header, short enough to print.
fn shown(name: &str) -> String {
    name.trim().chars().take(40).collect()
}

enum LineLength {
    Fits,
    Long,
    End,
}

/// Reads one line without its end into `bytes`. Of one that is too long, the rest is skipped.
fn read_line(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<LineLength> {
    bytes.clear();
    let mut length = LineLength::End;
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        if bytes.len() + part.len() > LINE_BYTES_MAX {
            length = LineLength::Long;
            bytes.clear();
        } else if !matches!(length, LineLength::Long) {
            length = LineLength::Fits;
            bytes.extend_from_slice(part);
        }
        let consumed = end.map_or(chunk.len(), |at| at + 1);
        reader.consume(consumed);
        if end.is_some() {
            break;
        }
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(length)
}
