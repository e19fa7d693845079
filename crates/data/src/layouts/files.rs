//! Opens what a layout lists as image files.

use std::sync::Arc;

use super::{Part, Piece, Share};
use crate::listing::Listing;
use crate::{DataError, ImageFolder, OpenOptions, Split};

/// Opens pieces of what `list` gives for their splits. With the training images others must have the same classes.
pub(super) fn open(
    pieces: &[Piece],
    options: &OpenOptions,
    list: impl Fn(Split) -> Result<Listing, DataError>,
) -> Result<Vec<Part>, DataError> {
    let mut lists: Vec<(Split, Listing)> = vec![];
    for piece in pieces {
        if lists.iter().all(|(split, _)| *split != piece.split) {
            lists.push((piece.split, list(piece.split)?));
        }
    }
    if pieces.len() > 1 {
        check(&lists)?;
    }
    let of = |piece: &Piece| lists.iter().find(|(split, _)| *split == piece.split).map(|(_, listing)| listing);
    let mut parts: Vec<Listing> = vec![];
    for listing in pieces.iter().zip(pieces.iter().map(of)).filter_map(|(piece, listing)| Some((piece, listing?))) {
        parts.push(taken(listing.1, listing.0.share, options)?);
    }
    options.tell("decoded", parts.iter().map(|part| part.files.len()).sum());
    let mut cache_bytes = options.cache_bytes;
    let load = |listing| {
        let (set, notes) = ImageFolder::load(listing, &OpenOptions { cache_bytes, ..options.clone() })?;
        cache_bytes = cache_bytes.saturating_sub(set.cached_bytes());
        Ok((Arc::new(set) as _, notes))
    };
    parts.into_iter().map(load).collect()
}

fn check(lists: &[(Split, Listing)]) -> Result<(), DataError> {
    let Some((_, train)) = lists.iter().find(|(split, _)| *split == Split::Train) else { return Ok(()) };
    train.check_for_training()?;
    lists.iter().try_for_each(|(_, listing)| listing.check_same_classes(train))
}

/// A part of a listing, thinned to the limit.
fn taken(listing: &Listing, share: Share, options: &OpenOptions) -> Result<Listing, DataError> {
    let all = || (0..listing.files.len()).collect();
    let mut places = match (share, &options.holdout) {
        (Share::Whole, _) | (Share::Kept | Share::HeldOut, None) => all(),
        (Share::Kept, Some(holdout)) => holdout.divide(&listing.names(), &listing.labels())?.kept,
        (Share::HeldOut, Some(holdout)) => holdout.divide(&listing.names(), &listing.labels())?.held_out,
    };
    options.thin(&mut places);
    // What was left out of a listing that is opened in two parts is told once.
    Ok(listing.part(&places, share != Share::HeldOut))
}
