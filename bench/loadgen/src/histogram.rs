//! Latencies, counted in buckets whose width is under 1 % of their value.

use serde::Serialize;

/// Buckets per power of two.
const STEPS: u64 = 128;
const STEPS_LOG2: u32 = STEPS.trailing_zeros();

/// Counts of durations in nanoseconds.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

/// The figures that a report shows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Durations counted.
    pub count: u64,
    /// Median, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Largest, in microseconds.
    pub max_us: f64,
}

impl Histogram {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self { buckets: vec![0; bucket(u64::MAX) + 1], count: 0, max_ns: 0 }
    }

    /// Counts one duration.
    pub fn record(&mut self, value_ns: u64) {
        self.record_many(value_ns, 1);
    }

    /// Counts the same duration `count` times.
    pub fn record_many(&mut self, value_ns: u64, count: u64) {
        if count > 0 {
            self.buckets[bucket(value_ns)] += count;
            self.count += count;
            self.max_ns = self.max_ns.max(value_ns);
        }
    }

    /// Returns the figures that a report shows.
    pub fn latency(&self) -> Latency {
        Latency {
            count: self.count,
            p50_us: self.percentile_ns(0.50) as f64 / 1e3,
            p99_us: self.percentile_ns(0.99) as f64 / 1e3,
            max_us: self.max_ns as f64 / 1e3,
        }
    }

    fn percentile_ns(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return lowest_ns(index).min(self.max_ns);
            }
        }
        self.max_ns
    }
}

fn bucket(value_ns: u64) -> usize {
    if value_ns < STEPS {
        return value_ns as usize;
    }
    let shift = value_ns.ilog2() - STEPS_LOG2;
    ((u64::from(shift) + 1) * STEPS + ((value_ns >> shift) - STEPS)) as usize
}

fn lowest_ns(index: usize) -> u64 {
    let (octave, step) = (index as u64 / STEPS, index as u64 % STEPS);
    if octave == 0 { step } else { (STEPS + step) << (octave - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_falls_into_a_bucket_that_starts_within_one_percent_below_it() {
        for value in [0, 1, 127, 128, 129, 255, 256, 1_000, 65_537, 1_000_000_007, u64::MAX] {
            let lowest = lowest_ns(bucket(value));
            assert!(lowest <= value && value - lowest <= value / 100, "{value} fell to {lowest}");
        }
    }

    #[test]
    fn percentiles_of_a_known_series() {
        let mut histogram = Histogram::new();
        for value_us in 1..=1_000_u64 {
            histogram.record(value_us * 1_000);
        }
        let latency = histogram.latency();
        assert!((latency.p50_us - 500.0).abs() < 5.0, "{latency:?}");
        assert!((latency.p99_us - 990.0).abs() < 10.0, "{latency:?}");
        assert_eq!(latency.max_us, 1_000.0);
    }
}
