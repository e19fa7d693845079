//! Lines at the end of a terminal that change, below what is told meanwhile.

use std::io;

use console::Term;

use crate::output::noted;

/// Lines that are drawn, and removed before anything else is written.
pub struct Screen {
    term: Term,
    /// Letters of each line that is there now; the last has no end.
    there: Vec<usize>,
    /// What [`noted`] said when they were drawn.
    noted: usize,
}

impl Screen {
    /// Of the standard output, if it is a terminal.
    pub fn new() -> Screen {
        Screen { term: Term::stdout(), there: vec![], noted: 0 }
    }

    /// Columns and rows, where the terminal tells.
    pub fn size(&self) -> Option<[usize; 2]> {
        self.term.size_checked().map(|(rows, columns)| [columns.into(), rows.into()])
    }

    /// Draws lines in the place of those before, which fill fewer columns than the terminal has.
    pub fn draw(&mut self, lines: &[String]) {
        // A terminal that has gone has nobody to tell.
        let _ = self.clear().and_then(|()| self.term.write_str(&lines.join("\n")));
        self.there = lines.iter().map(|line| line.chars().count()).collect();
        self.noted = noted();
    }

    /// Removes the lines.
    ///
    /// # Errors
    /// Those of writing.
    pub fn clear(&mut self) -> io::Result<()> {
        let width = self.size().map_or(usize::MAX, |[columns, _]| columns);
        if self.there.is_empty() {
            return Ok(());
        }
        // Ctrl-C is answered below the lines, whatever they show; from now on they say it themselves.
        let rows = rows(&self.there, width) + noted() - self.noted;
        self.there.clear();
        let up = if rows > 1 { format!("\x1b[{}A", rows - 1) } else { String::new() };
        self.term.write_str(&format!("{up}\r\x1b[J"))
    }
}

/// Rows that lines fill on a terminal of so many columns. Where it was made narrower since, it has broken them anew.
fn rows(lines: &[usize], width: usize) -> usize {
    lines.iter().map(|length| length.div_ceil(width.max(1)).max(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_more_rows_where_the_terminal_was_made_narrower() {
        let lines = [70, 0, 30, 31];
        for (width, wanted) in [(200, 4), (70, 4), (40, 5), (30, 7), (10, 7 + 1 + 3 + 4), (0, 132)] {
            assert_eq!(rows(&lines, width), wanted, "{width}");
        }
        assert_eq!(rows(&[], 80), 0);
    }
}
