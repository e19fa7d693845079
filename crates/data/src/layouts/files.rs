//! Opens what a layout lists as image files.

use std::sync::Arc;

use super::{Part, Piece, Share};
use crate::listing::Listing;
use crate::own_shape;
use crate::{DataError, FolderNotes, ImageFolder, OpenOptions, Split};

/// Opens pieces of what `list` gives for their splits. With the training images others get its classes.
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
        as_in_training(&mut lists)?;
    }
    let wanted: Vec<Vec<usize>> = pieces
        .iter()
        .map(|piece| match lists.iter().find(|(split, _)| *split == piece.split) {
            Some((_, listing)) => taken(listing, piece.share, options),
            None => Ok(vec![]),
        })
        .collect::<Result<_, _>>()?;
    // All splits have the shape that suits the training images.
    let by = lists.iter().find(|(split, _)| *split == Split::Train).or(lists.first());
    let options = &by.map_or(options.clone(), |(_, listing)| own_shape::shaped(options, listing));
    options.tell("decoded", wanted.iter().map(Vec::len).sum());
    let mut cache = options.cache_bytes;
    let mut parts: Vec<Option<Part>> = pieces.iter().map(|_| None).collect();
    // Pieces of one listing are opened together.
    for (split, listing) in &lists {
        let of: Vec<usize> = (0..pieces.len()).filter(|&i| pieces[i].split == *split).collect();
        // What was left out of a listing that is opened in two parts is told once.
        let places: Vec<(Vec<usize>, bool)> = of.iter().map(|&i| (wanted[i].clone(), i == of[0])).collect();
        for (i, (set, notes)) in of.iter().zip(ImageFolder::load(listing, &places, options, &mut cache)?) {
            let ungrouped = if *i == of[0] { ungrouped(listing, pieces[*i].share, options) } else { vec![] };
            parts[*i] = Some((Arc::new(set) as _, FolderNotes { ungrouped, ..notes }));
        }
    }
    Ok(parts.into_iter().flatten().collect())
}

/// Gives every split the classes of the training images.
fn as_in_training(lists: &mut [(Split, Listing)]) -> Result<(), DataError> {
    let Some((_, train)) = lists.iter().find(|(split, _)| *split == Split::Train) else { return Ok(()) };
    train.check_for_training()?;
    let classes = train.classes.clone();
    lists.iter_mut().try_for_each(|(_, listing)| listing.numbered_as(&classes))
}

/// Files that are groups by themselves, of a listing of which groups are held out.
fn ungrouped(listing: &Listing, share: Share, options: &OpenOptions) -> Vec<String> {
    match (share, &options.holdout) {
        (Share::Whole, _) | (Share::Kept | Share::HeldOut, None) => vec![],
        (Share::Kept | Share::HeldOut, Some(holdout)) => {
            holdout.ungrouped(&listing.names(), listing.within()).into_iter().map(str::to_string).collect()
        }
    }
}

/// The places of a part of a listing, thinned to the limit.
fn taken(listing: &Listing, share: Share, options: &OpenOptions) -> Result<Vec<usize>, DataError> {
    let mut places = match (share, &options.holdout) {
        (Share::Whole, _) | (Share::Kept | Share::HeldOut, None) => (0..listing.files.len()).collect(),
        (Share::Kept, Some(holdout)) => holdout.divide(&listing.names(), listing.within(), &listing.labels())?.kept,
        (Share::HeldOut, Some(holdout)) => {
            holdout.divide(&listing.names(), listing.within(), &listing.labels())?.held_out
        }
    };
    options.thin(&mut places);
    Ok(places)
}
