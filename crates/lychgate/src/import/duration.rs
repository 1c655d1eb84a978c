//! Lengths of time: as Go writes them, and as we do.

/// Nanoseconds of a text such as `1h30m`, `250ms` or `-1`; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if rest.is_empty() {
        return None;
    }
    // A number alone counts nanoseconds.
    if let Ok(number) = rest.parse::<i64>() {
        return Some(sign * i128::from(number));
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            "d" => 86_400e9,
            _ => return None,
        };
        sum += number * unit;
        rest = &rest[end..];
    }
    #[allow(clippy::cast_possible_truncation, reason = "a cast of a float ends at the bounds, and so do our limits")]
    let whole = sum as i128;
    Some(sign * whole)
}

/// Milliseconds, in the largest unit that holds them whole.
pub(super) fn show(ms: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match units.into_iter().find(|(_, unit)| ms >= *unit && ms.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_shown() {
        for (text, ms) in [
            ("25s", Some(25_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1_500)),
            ("250ms", Some(250)),
            ("720h", Some(2_592_000_000)),
            ("2d", Some(172_800_000)),
            ("1000000000", Some(1_000)),
            ("-1s", Some(-1_000)),
            ("", None),
            ("5 minutes", None),
            ("s", None),
        ] {
            assert_eq!(parse(text).map(|ns| ns / 1_000_000), ms, "{text}");
        }
        for (ms, text) in [(0, "0s"), (250, "250ms"), (25_000, "25s"), (5_400_000, "90m"), (2_592_000_000, "30d")] {
            assert_eq!(show(ms), text);
        }
    }
}
