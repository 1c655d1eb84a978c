//! Numbers with a unit: lengths of time and numbers of bytes.
//!
//! **Invariant:** what is shown has the largest unit that keeps the number whole, so nothing is rounded.

use std::time::Duration;

use super::super::tree::{Node, Value};
use super::{Report, Shape, cite, quote, text};

/// A length of time within bounds, as `"25s"`.
pub(in crate::config) struct Time {
    pub(in crate::config) least: Duration,
    pub(in crate::config) most: Duration,
}

const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Shape for Time {
    type Value = Duration;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<Duration> {
        let bounds = format!("from {} to {}", show_time(self.least), show_time(self.most));
        let remedy = format!("Write a number and its unit (ms, s, m, h, d), {bounds}: for example \"25s\"");
        let Some(text) = text(node) else { return report.kind(node, "a length of time in quotes", remedy) };
        let Some(value) = parse_time(text) else {
            return report.wrong(node, format!("{} is no length of time", cite(text)), remedy);
        };
        if value < self.least || value > self.most {
            return report.wrong(node, format!("{} is outside the bounds", cite(text)), remedy);
        }
        Some(value)
    }

    fn show(&self, value: &Duration) -> Option<String> {
        Some(quote(&show_time(*value)))
    }

    fn describe(&self) -> String {
        format!("time, {} to {}", show_time(self.least), show_time(self.most))
    }
}

/// Reads `"25s"`; a number without a unit is no length of time.
pub(crate) fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let (_, scale_ms) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*scale_ms).map(Duration::from_millis)
}

/// Writes a length of time with the largest unit that keeps it whole.
pub(crate) fn show_time(value: Duration) -> String {
    let ms = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let (unit, scale) = TIME_UNITS.iter().find(|(_, scale)| ms.is_multiple_of(*scale)).unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / scale)
}

/// A number of bytes within bounds, as `"64KiB"` or a plain number.
pub(in crate::config) struct Size {
    pub(in crate::config) least: usize,
    pub(in crate::config) most: usize,
}

/// 1,024 bytes.
pub(in crate::config) const KIB: usize = 1024;
/// 1,024 KiB.
pub(in crate::config) const MIB: usize = 1024 * KIB;

const SIZE_UNITS: [(&str, usize); 4] = [("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];

impl Shape for Size {
    type Value = usize;

    fn read(&self, node: &Node, report: &mut Report<'_>) -> Option<usize> {
        let bounds = format!("from {} to {}", show_size(self.least), show_size(self.most));
        let remedy = format!("Write a number of bytes, or a number with KiB or MiB in quotes, {bounds}");
        let size = match &node.value {
            Value::Integer(number) => usize::try_from(*number).ok(),
            Value::Text(text) | Value::Variable(text) => match parse_size(text) {
                Some(size) => Some(size),
                None => return report.wrong(node, format!("{} is no number of bytes", cite(text)), remedy),
            },
            _ => return report.kind(node, "a number of bytes", remedy),
        };
        match size {
            Some(size) if size >= self.least && size <= self.most => Some(size),
            _ => report.wrong(node, "this number of bytes is outside the bounds", remedy),
        }
    }

    fn show(&self, value: &usize) -> Option<String> {
        let shown = show_size(*value);
        // A size below the smallest unit reads best as the plain number it is.
        Some(shown.strip_suffix('B').filter(|n| n.parse::<usize>().is_ok()).map_or(quote(&shown), str::to_owned))
    }

    fn describe(&self) -> String {
        format!("bytes, {} to {}", show_size(self.least), show_size(self.most))
    }
}

fn parse_size(text: &str) -> Option<usize> {
    if let Ok(bytes) = text.trim().parse() {
        return Some(bytes);
    }
    let (number, unit) = split_unit(text)?;
    let (_, scale) = SIZE_UNITS.iter().find(|(name, _)| *name == unit)?;
    usize::try_from(number).ok()?.checked_mul(*scale)
}

pub(in crate::config) fn show_size(value: usize) -> String {
    let (unit, scale) =
        SIZE_UNITS.iter().find(|(_, scale)| value > 0 && value.is_multiple_of(*scale)).unwrap_or(&("B", 1));
    format!("{}{unit}", value / scale)
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
}
