//! An order of images in which each class comes equally often, however many images it has.

use crate::shuffle::{mixed, shuffled};

/// As many images as there are labels, in an order that depends on `seed` and `epoch` alone. Each class that has images comes
/// equally often, but for one; of a class all images are used before one comes again.
pub(crate) fn balanced(labels: &[u32], seed: u64, epoch: u64) -> Vec<usize> {
    let mut classes: Vec<u32> = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let mut chosen = Vec::with_capacity(labels.len());
    for (place, class) in classes.iter().enumerate() {
        let own: Vec<usize> = (0..labels.len()).filter(|&image| labels[image] == *class).collect();
        // What is over goes to other classes in each epoch.
        let extra = (place + epoch as usize) % classes.len() < labels.len() % classes.len();
        let wanted = labels.len() / classes.len() + usize::from(extra);
        let own_seed = mixed(seed, &format!("class {class}"));
        let passes = wanted.div_ceil(own.len()) as u64;
        let orders = (0..passes).flat_map(|pass| shuffled(own.len(), own_seed.wrapping_add(pass), epoch));
        chosen.extend(orders.take(wanted).map(|i| own[i]));
    }
    shuffled(chosen.len(), seed, epoch).into_iter().map(|i| chosen[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_comes_equally_often_and_all_its_images_before_one_comes_again() {
        // 20 of class 0, 5 of class 1, 2 of class 4.
        let labels: Vec<u32> = [vec![0; 20], vec![1; 5], vec![4; 2]].concat();
        let order = balanced(&labels, 7, 0);
        let times = |order: &[usize], image: usize| order.iter().filter(|&&i| i == image).count();
        let of = |class: u32| order.iter().filter(|&&i| labels[i] == class).count();
        assert_eq!((order.len(), [0, 1, 4].map(of)), (27, [9; 3]));
        assert!((0..20).all(|image| times(&order, image) <= 1), "{order:?}");
        assert!((20..25).all(|image| (1..=2).contains(&times(&order, image))), "{order:?}");
        assert!((25..27).all(|image| (4..=5).contains(&times(&order, image))), "{order:?}");
        assert_eq!(balanced(&labels, 7, 0), order);
        assert_ne!(balanced(&labels, 7, 1), order);
        assert_ne!(balanced(&labels, 8, 0), order);
    }

    #[test]
    fn over_the_epochs_all_images_of_a_large_class_are_used() {
        let labels: Vec<u32> = [vec![0; 20], vec![1; 5]].concat();
        let mut seen: Vec<usize> = (0..8).flat_map(|epoch| balanced(&labels, 1, epoch)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 25);
        // Of 25 images one is over: to each class in turn.
        let ones = |epoch| balanced(&labels, 1, epoch).into_iter().filter(|&i| labels[i] == 1).count();
        assert_eq!([ones(0), ones(1)], [12, 13]);
    }
}
