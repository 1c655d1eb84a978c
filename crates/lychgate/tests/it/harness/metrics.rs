//! Counters and gauges, read from the page that operators scrape.

use lychgate_gateway::metrics::METRICS;

/// The page at one moment.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn parse(page: &str) -> Self {
        assert!(page.trim_end().ends_with("# EOF"), "the page of metrics has no end: {page}");
        Self(page.to_owned())
    }

    /// One value; a counter that nothing has touched yet is 0.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let declared = METRICS.iter().any(|metric| metric.name == name.strip_suffix("_total").unwrap_or(name));
        assert!(declared, "there is no metric {name}");
        let wanted = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| {
                rest.starts_with([' ', '{'])
                    && labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
            })
        };
        let numbers = self.0.lines().filter(wanted).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        numbers.sum()
    }
}
