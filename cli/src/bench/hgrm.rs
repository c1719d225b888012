//! A distribution in the text form that HdrHistogram's tools read.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Points for each halving of what is above, as the tools do it.
const TICKS: u32 = 5;

/// The distribution of times in nanoseconds, written in microseconds.
pub(super) fn text(histogram: &Histogram<u64>) -> String {
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let mut count = 0;
    for step in histogram.iter_quantiles(TICKS) {
        count += step.count_since_last_iteration();
        let (value, quantile) = (micros(step.value_iterated_to()), step.quantile_iterated_to());
        // Writing to a string does not fail.
        let _ = write!(text, "{value:12.3} {quantile:2.12} {count:10}");
        let _ = match quantile < 1.0 {
            true => writeln!(text, " {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text),
        };
    }
    let (mean, deviation) = (histogram.mean() / 1e3, histogram.stdev() / 1e3);
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let (max, total) = (micros(histogram.max()), histogram.len());
    let _ = writeln!(text, "#[Max     = {max:12.3}, Total count    = {total:12}]");
    let buckets = histogram.buckets();
    let _ = writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {:12}]", 2048);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_rises_to_all_of_its_values() {
        let mut histogram = Histogram::new_with_bounds(1, 1_000_000, 3).unwrap();
        (1..=1000).for_each(|micros| histogram.record(micros * 100).unwrap());
        let text = text(&histogram);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .take_while(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
            .collect();
        assert!(rows.is_sorted_by(|one, next| one[0] <= next[0] && one[1] <= next[1] && one[2] <= next[2]));
        let last = rows.last().unwrap();
        assert!((99.9..100.2).contains(&last[0]) && last[1..] == [1.0, 1000.0], "{last:?}");
        assert!(text.contains("Total count    =         1000]"), "{text}");
    }
}
