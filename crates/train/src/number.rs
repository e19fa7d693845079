//! Numbers in messages as people write them.

/// Three significant digits and no more zeros than needed: `0.0003`, `1.25`, `2e-9`.
pub fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    match rounded.abs() {
        size if size == 0.0 || (1e-6..1e6).contains(&size) => format!("{rounded}"),
        _ => format!("{rounded:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let cases = [
            (0.003 / 10.0, "0.0003"),
            (0.05 / 10.0, "0.005"),
            (3e-5 / 10.0, "0.000003"),
            (1e30 / 10.0, "1e29"),
            (0.0029999999, "0.003"),
            (0.0012345, "0.00123"),
            (2e-9, "2e-9"),
            (0.0, "0"),
            (12.0, "12"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }
}
