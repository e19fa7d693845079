//! How a data set lies on disk, and which splits it has.

use std::fmt;
use std::path::Path;

use crate::layouts::{DiskLayout, LAYOUTS, Piece, Share, table};
use crate::listing::{has_image_below, has_image_name, leads_nowhere, sorted_entries};
use crate::table::Table;
use crate::{DataError, Holdout, Split};

/// The layout that class folders may have the better of.
const TABLES: Layout = Layout(&table::Tables);
/// The most folders that are looked into for a hint.
const MOST_LOOKED_INTO: usize = 50;

/// How a data set lies on disk.
#[derive(Clone, Copy)]
pub struct Layout(&'static dyn DiskLayout);

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl fmt::Debug for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Layout {
    /// Its name, such as `CIFAR-10` or `class folders`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Whether the usual recipe for such data crops and mirrors its images.
    pub fn crops_and_mirrors(self) -> bool {
        self.0.crops_and_mirrors()
    }

    /// What data sets are recognised by.
    pub fn looked_for() -> String {
        LAYOUTS.iter().map(|layout| layout.looked_for()).collect::<Vec<_>>().join("; ")
    }

    /// The layout of a folder: the first of which any split is there.
    pub(crate) fn of(folder: &Path) -> Result<Layout, DataError> {
        if !Table::is_named(folder) || folder.is_dir() {
            std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))?;
        } else if !folder.exists() {
            return Err(DataError::Missing { path: folder.to_path_buf() });
        }
        Self::recognised(folder).ok_or_else(|| DataError::UnknownLayout {
            path: folder.to_path_buf(),
            hint: hint(folder),
            looked_for: Self::looked_for(),
        })
    }

    /// What is known of it.
    pub(crate) fn disk(self) -> &'static dyn DiskLayout {
        self.0
    }

    fn recognised(folder: &Path) -> Option<Layout> {
        let has_any = |layout: &&&'static dyn DiskLayout| Split::ALL.iter().any(|&split| layout.has(folder, split));
        let mut found = LAYOUTS.iter().filter(has_any).map(|layout| Layout(*layout));
        let first = found.next()?;
        // Beside class folders, a table may be of something else.
        match found.next() {
            Some(folders) if first == TABLES && table::misfit(folder).is_some() => Some(folders),
            Some(_) | None => Some(first),
        }
    }

    /// What is to be told of what lies in a folder and is not used.
    pub(crate) fn passed_over(self, folder: &Path) -> Option<String> {
        self.other_layout(folder).or_else(|| {
            let emptied = self.0.emptied(folder);
            let names: Vec<String> = emptied.iter().map(|path| path.display().to_string()).collect();
            (!names.is_empty()).then(|| format!("no image lies in {}: it counts as not there", names.join(" and ")))
        })
    }

    /// Where a folder has a table and class folders, which one alone is taken.
    fn other_layout(self, folder: &Path) -> Option<String> {
        let has = |layout: Layout| Split::ALL.iter().any(|&split| layout.0.has(folder, split));
        let others = || LAYOUTS.iter().map(|layout| Layout(*layout)).find(|&other| other != self && has(other));
        let place = folder.display();
        if self == TABLES {
            let folders = others()?.name();
            return Some(format!("{place}: its table of labels is used, not its {folders}"));
        }
        let cause = Some(TABLES).filter(|&tables| has(tables)).and_then(|_| table::misfit(folder))?;
        Some(format!("{place}: its {} are used, not its table of labels ({cause})", self.name()))
    }

    /// The pieces to train on and to evaluate on, and of which split the latter are: validation images; where there are none, such
    /// as are held out of the training images; else test images.
    pub(crate) fn for_training(
        self,
        folder: &Path,
        holdout: Option<&Holdout>,
    ) -> Result<([Piece; 2], Split), DataError> {
        self.check_has(folder, Split::Train)?;
        if self.is_held_out(folder, holdout)? {
            return Ok(([kept(), held_out()], Split::Val));
        }
        let split = self.to_evaluate(folder)?;
        Ok(([whole(Split::Train), whole(split)], split))
    }

    /// The piece of one split alone, of that to evaluate on if absent.
    pub(crate) fn piece(
        self,
        folder: &Path,
        split: Option<Split>,
        holdout: Option<&Holdout>,
    ) -> Result<(Piece, Split), DataError> {
        let is_held_out = self.0.has(folder, Split::Train) && self.is_held_out(folder, holdout)?;
        match split {
            Some(Split::Val) | None if is_held_out => Ok((held_out(), Split::Val)),
            Some(Split::Train) if is_held_out => Ok((kept(), Split::Train)),
            Some(split) => self.check_has(folder, split).map(|()| (whole(split), split)),
            None => self.to_evaluate(folder).map(|split| (whole(split), split)),
        }
    }

    /// Whether validation images are held out of the training images.
    fn is_held_out(self, folder: &Path, holdout: Option<&Holdout>) -> Result<bool, DataError> {
        let Some(holdout) = holdout else { return Ok(false) };
        holdout.check()?;
        match self.0.has(folder, Split::Val) {
            true if holdout.is_asked() || holdout.group_by.is_some() => Err(DataError::invalid(format!(
                "{} has validation images of its own, so that none can be held out of the training images; leave out --val-share, \
                 --folds and --group-by, or move them in with the training images",
                folder.display()
            ))),
            true => Ok(false),
            false => Ok(holdout.is_asked() || self.0.holds_out()),
        }
    }

    /// The split that lies there to evaluate on: validation, else test images; of a folder that has neither all that it has.
    fn to_evaluate(self, folder: &Path) -> Result<Split, DataError> {
        let mut splits = [Split::Val, Split::Test].into_iter();
        let found = splits.find(|&split| self.0.has(folder, split));
        let all = || self.0.holds_out().then_some(Split::Train).filter(|&split| self.0.has(folder, split));
        found.or_else(all).ok_or_else(|| self.missing(folder, Split::Test))
    }

    pub(crate) fn check_has(self, folder: &Path, split: Split) -> Result<(), DataError> {
        if self.0.has(folder, split) { Ok(()) } else { Err(self.missing(folder, split)) }
    }

    fn missing(self, folder: &Path, split: Split) -> DataError {
        let there = Split::ALL.iter().filter(|&&split| self.0.has(folder, split));
        let found = there.map(|split| split.name()).collect::<Vec<_>>().join(" and ");
        DataError::NoSplit { path: folder.to_path_buf(), split, cause: self.0.missing(split), found }
    }
}

fn whole(split: Split) -> Piece {
    Piece { split, share: Share::Whole }
}

fn kept() -> Piece {
    Piece { split: Split::Train, share: Share::Kept }
}

fn held_out() -> Piece {
    Piece { split: Split::Train, share: Share::HeldOut }
}

/// What a folder without a data set may be instead.
fn hint(folder: &Path) -> String {
    let entries = sorted_entries(folder).unwrap_or_default();
    let mut folders = entries.iter().filter(|path| path.is_dir()).take(MOST_LOOKED_INTO);
    if let Some(set) = folders.find(|path| Layout::recognised(path).is_some()) {
        return format!(" but in {}: name that folder", set.display());
    }
    if let Some(link) = entries.iter().find(|path| leads_nowhere(path)) {
        return format!(" but {}, a link to what is not there", link.display());
    }
    let mut classes =
        entries.iter().filter(|path| path.is_dir()).take(MOST_LOOKED_INTO).filter(|path| has_image_below(path));
    if let (Some(only), None) = (classes.next(), classes.next()) {
        return format!(" but one class only, in {}, and a classifier needs two at least", only.display());
    }
    if entries.iter().any(|path| has_image_name(path)) {
        return " but images straight in it: each belongs into a folder named as its class".to_string();
    }
    String::new()
}
