//! A data set whose classes are numbered as another's, by their names.

use std::sync::Arc;

use crate::{DataError, Dataset, class_counts, names};

/// Images with the numbers that their classes have elsewhere.
struct Matched {
    set: Arc<dyn Dataset>,
    classes: Vec<String>,
    /// What each class of the set is here.
    numbers: Vec<u32>,
    /// `[N, classes]`, where the set has a number for each of its classes; else nothing.
    values: Vec<f32>,
}

/// The same images, with classes in the order of `wanted`; classes that none of them is of may be absent on either side.
///
/// # Errors
/// The names of the classes that have images, or a number for each image, and are not among `wanted`.
pub fn matched(set: Arc<dyn Dataset>, wanted: &[String]) -> Result<Arc<dyn Dataset>, Vec<String>> {
    if set.classes() == wanted {
        return Ok(set);
    }
    let counts = class_counts(&*set);
    let shows_each = !set.is_empty() && set.values(0).len() == set.classes().len();
    let occurs = |at: usize| counts[at] > 0 || (shows_each && (0..set.len()).any(|i| set.values(i)[at] != 0.0));
    let mut numbers = vec![0; set.classes().len()];
    let mut extra = vec![];
    for (at, class) in set.classes().iter().enumerate() {
        match names::numbers(std::slice::from_ref(class), wanted) {
            Ok(number) => numbers[at] = number[0],
            Err(_) if !occurs(at) => {}
            Err(name) => extra.extend(name),
        }
    }
    if !extra.is_empty() {
        return Err(extra);
    }
    let mut values = vec![0.0; if shows_each { set.len() * wanted.len() } else { 0 }];
    for (image, row) in values.chunks_exact_mut(wanted.len().max(1)).enumerate() {
        set.values(image)
            .iter()
            .zip(&numbers)
            .filter(|(value, _)| **value != 0.0)
            .for_each(|(value, &class)| row[class as usize] = *value);
    }
    Ok(Arc::new(Matched { classes: wanted.to_vec(), set, numbers, values }))
}

impl Dataset for Matched {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.set.image_shape()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.numbers[self.set.label(index) as usize]
    }

    fn name(&self, index: usize) -> String {
        self.set.name(index)
    }

    fn values(&self, index: usize) -> &[f32] {
        match self.values.is_empty() {
            true => self.set.values(index),
            false => &self.values[index * self.classes.len()..][..self.classes.len()],
        }
    }

    fn channel_sums(&self, index: usize) -> Option<&[u64]> {
        self.set.channel_sums(index)
    }

    fn write_image(&self, index: usize, out: &mut [u8]) -> Result<(), DataError> {
        self.set.write_image(index, out)
    }

    fn in_memory(&self) -> bool {
        self.set.in_memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InMemory;

    fn set(classes: &[&str], labels: &[u32], values: &[f32]) -> Arc<dyn Dataset> {
        let classes = classes.iter().map(ToString::to_string).collect();
        let set = InMemory::new(vec![0; labels.len()], labels.to_vec(), [1, 1, 1], classes).expect("a set");
        Arc::new(set.with_values(values.to_vec()).expect("values"))
    }

    #[test]
    fn classes_are_matched_by_name_whatever_their_order() {
        let wanted = ["1", "2", "3", "10"].map(String::from);
        let found = matched(set(&["1", "10", "3"], &[0, 1, 2], &[]), &wanted).expect("matched");
        assert_eq!((found.classes(), [0, 1, 2].map(|i| found.label(i))), (wanted.as_slice(), [0, 3, 2]));
        let several = matched(set(&["10", "2"], &[0, 1], &[1.0, 0.0, 1.0, 1.0]), &wanted).expect("matched");
        assert_eq!(
            (several.values(0), several.values(1)),
            ([0.0, 0.0, 0.0, 1.0].as_slice(), [0.0, 1.0, 0.0, 1.0].as_slice())
        );
        // One that has no image is nothing that a model had to know.
        assert!(matched(set(&["1", "cat"], &[0, 0], &[]), &wanted).is_ok());
        assert_eq!(matched(set(&["1", "cat"], &[0, 1], &[]), &wanted).err(), Some(vec!["cat".to_string()]));
    }
}
