//! What test runs print, read line by line: which tests failed, and how long each took.

use std::collections::BTreeMap;

/// What is known of all tests so far.
#[derive(Debug, Default)]
pub struct Results {
    /// The test program that `cargo test` runs at the moment.
    program: String,
    failed: Vec<String>,
    /// Seconds of a test, or of a whole program where `cargo test` runs them: it does not tell the time of each test.
    seconds: BTreeMap<String, f64>,
}

impl Results {
    /// Reads a line of `cargo nextest run` or of `cargo test`.
    pub fn see(&mut self, line: &str) {
        let line = line.trim();
        if let Some((status, seconds, name)) = nextest(line) {
            if !["PASS", "LEAK", "SLOW"].contains(&status) {
                self.fail(name.to_owned());
            }
            self.seconds.insert(name.to_owned(), seconds);
        } else if let Some(program) = line.strip_prefix("Running ").or(line.strip_prefix("Doc-tests ")) {
            self.program = program.split(" (").next().unwrap_or(program).to_owned();
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.fail(format!("{} {name}", self.program));
        } else if let Some(seconds) = line.strip_prefix("test result: ").and_then(finished) {
            self.seconds.insert(self.program.clone(), seconds);
        }
    }

    /// The tests that failed, each once.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// The slowest first.
    pub fn slowest(&self, count: usize) -> Vec<(&str, f64)> {
        let mut all: Vec<(&str, f64)> = self.seconds.iter().map(|(name, &seconds)| (name.as_str(), seconds)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(count);
        all
    }

    fn fail(&mut self, name: String) {
        if !self.failed.contains(&name) {
            self.failed.push(name);
        }
    }
}

/// `STATUS [   1.234s] (  5/392) PROGRAM TEST`; the summary at the end repeats the lines of tests that failed.
fn nextest(line: &str) -> Option<(&str, f64, &str)> {
    let (status, rest) = line.split_once(" [")?;
    let (seconds, rest) = rest.split_once("s] (")?;
    let (_, name) = rest.split_once(") ")?;
    let plain = |c: char| c.is_ascii_uppercase() || c == ' ' || c == '-';
    // `SLOW [> 60.000s]` tells of a test that still runs.
    let seconds = seconds.trim().parse().ok()?;
    (!status.is_empty() && status.chars().all(plain)).then_some((status, seconds, name.trim()))
}

fn finished(line: &str) -> Option<f64> {
    line.split_once("finished in ")?.1.trim_end_matches('s').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Results {
        let mut results = Results::default();
        text.lines().for_each(|line| results.see(line));
        results
    }

    #[test]
    fn failures_and_times_of_nextest_are_found() {
        let results = of("
        PASS [   0.024s] ( 1/4) chiaro-check::coverage draws_are_the_same
        SLOW [> 60.000s] ( 1/4) chiaro-gpu::steps slow
        FAIL [   3.500s] ( 2/4) chiaro-gpu::steps wrong
     SIGABRT [   1.000s] ( 3/4) chiaro-gpu::steps gone
        PASS [  61.000s] ( 4/4) chiaro-gpu::steps slow
     Summary [  65.000s] 4 tests run: 2 passed, 2 failed
        FAIL [   3.500s] ( 2/4) chiaro-gpu::steps wrong
     SIGABRT [   1.000s] ( 3/4) chiaro-gpu::steps gone");
        assert_eq!(results.failed(), ["chiaro-gpu::steps wrong", "chiaro-gpu::steps gone"]);
        assert_eq!(results.slowest(2), [("chiaro-gpu::steps slow", 61.0), ("chiaro-gpu::steps wrong", 3.5)]);
    }

    #[test]
    fn failures_of_tests_and_times_of_programs_are_found_without_nextest() {
        let results = of("     Running unittests src/lib.rs (target/release/deps/chiaro_io-0f)
test file::tests::fine ... ok
test file::tests::wrong ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s
   Doc-tests chiaro
test src/lib.rs - (line 7) ... ok
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s");
        assert_eq!(results.failed(), ["unittests src/lib.rs file::tests::wrong"]);
        assert_eq!(results.slowest(10), [("chiaro", 1.25), ("unittests src/lib.rs", 0.5)]);
    }
}
