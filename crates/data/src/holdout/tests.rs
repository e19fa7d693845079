use super::*;

/// Names and labels of classes with so many images.
fn images(counts: &[usize]) -> (Vec<String>, Vec<u32>) {
    let of_class =
        |(class, &count): (usize, &usize)| (0..count).map(move |i| (format!("c{class}/{i}.jpg"), class as u32));
    counts.iter().enumerate().flat_map(of_class).unzip()
}

/// How many of each class.
fn counted(images: &[usize], labels: &[u32], classes: usize) -> Vec<usize> {
    let of = |class: usize| images.iter().filter(|&&i| labels[i] as usize == class).count();
    (0..classes).map(of).collect()
}

#[test]
fn a_share_of_every_class_is_held_out_and_none_is_emptied() {
    let (names, labels) = images(&[100, 37, 3, 2, 1]);
    let divided = Holdout::default().divide(&names, Within::ClassFolder, &labels).expect("divided");
    assert_eq!(counted(&divided.held_out, &labels, 5), [20, 7, 1, 1, 0]);
    assert_eq!(counted(&divided.kept, &labels, 5), [80, 30, 2, 1, 1]);
    let half = Holdout { share: Some(0.5), ..Holdout::default() }
        .divide(&names, Within::ClassFolder, &labels)
        .expect("divided");
    assert_eq!(counted(&half.held_out, &labels, 5), [50, 19, 2, 1, 0]);
}

#[test]
fn another_seed_draws_others_and_a_new_image_moves_no_other() {
    let (mut names, mut labels) = images(&[50, 50]);
    let drawn = |names: &[String], labels: &[u32], seed| {
        let divided =
            Holdout { seed, ..Holdout::default() }.divide(names, Within::ClassFolder, labels).expect("divided");
        divided.held_out.into_iter().map(|i| names[i].clone()).collect::<Vec<_>>()
    };
    let before = drawn(&names, &labels, 0);
    assert_eq!(before, drawn(&names, &labels, 0));
    let other = drawn(&names, &labels, 1);
    assert!(before.iter().filter(|name| other.contains(name)).count() < 10);
    names.push("c0/new.jpg".to_string());
    labels.push(0);
    let after = drawn(&names, &labels, 0);
    assert!(before.iter().filter(|name| !after.contains(name)).count() <= 1, "{before:?} {after:?}");
}

#[test]
fn folds_share_all_images_out_and_each_has_its_part_of_every_class() {
    let (names, labels) = images(&[50, 23, 1]);
    let mut seen = vec![0; names.len()];
    for number in 1..=5 {
        let holdout = Holdout { fold: Some(Fold { number, of: 5 }), ..Holdout::default() };
        let divided = holdout.divide(&names, Within::ClassFolder, &labels).expect("divided");
        divided.held_out.iter().for_each(|&i| seen[i] += 1);
        let counts = counted(&divided.held_out, &labels, 3);
        assert!(counts[0] == 10 && (4..=5).contains(&counts[1]) && counts[2] == 0, "{counts:?}");
        assert_eq!(divided.kept.len() + divided.held_out.len(), names.len());
    }
    // The only image of a class is always there to learn from.
    assert_eq!((seen.pop(), seen.iter().all(|&n| n == 1)), (Some(0), true));
}

#[test]
fn what_belongs_together_is_never_parted() {
    // 20 patients with 2 to 6 pictures of both classes.
    let mut names = vec![];
    for patient in 0..20 {
        (0..2 + patient % 5).for_each(|i| names.push(format!("c{}/p{patient}_{i}.jpg", (patient + i) % 2)));
    }
    let labels: Vec<u32> = names.iter().map(|name| u32::from(name.starts_with("c1"))).collect();
    let group_by = Some("_".parse().expect("a part"));
    let patient = |i: &usize| names[*i][3..].split('_').next().expect("a patient").to_string();
    for fold in [None, Some(Fold { number: 2, of: 4 })] {
        let divided = Holdout { fold, group_by: group_by.clone(), ..Holdout::default() }.divide(
            &names,
            Within::ClassFolder,
            &labels,
        );
        let divided = divided.expect("divided");
        let held_out: Vec<String> = divided.held_out.iter().map(patient).collect();
        assert!(divided.kept.iter().map(patient).all(|patient| !held_out.contains(&patient)));
        let counts = counted(&divided.held_out, &labels, 2);
        assert!(counts.iter().all(|n| (6..=12).contains(n)), "{fold:?} {counts:?}");
    }
}

#[test]
fn what_cannot_be_divided_is_told() {
    let (names, labels) = images(&[4, 4]);
    assert_eq!(
        Holdout::default().divide(&names, Within::ClassFolder, &labels).map(|d| d.held_out.len()).ok(),
        Some(1 + 1)
    );
    let single = vec!["a/x_1.jpg".to_string(), "b/x_2.jpg".to_string()];
    let error = Holdout { group_by: Some("_".parse().expect("a part")), ..Holdout::default() }.divide(
        &single,
        Within::ClassFolder,
        &[0, 1],
    );
    let error = error.err().expect("refused").to_string();
    assert!(
        error.starts_with("no validation images can be held out of 2 training images in 1 groups by '_'"),
        "{error}"
    );
    for wrong in [
        Holdout { share: Some(1.0), ..Holdout::default() },
        Holdout { fold: Some(Fold { number: 6, of: 5 }), ..Holdout::default() },
        Holdout { share: Some(0.1), fold: Some(Fold { number: 1, of: 5 }), ..Holdout::default() },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}

#[test]
fn more_folds_than_there_are_images_or_groups_are_refused() {
    let names: Vec<String> = (0..8).map(|i| format!("c{}/p{}_{i}.jpg", i % 2, i / 2)).collect();
    let labels: Vec<u32> = (0..8).map(|i| i % 2).collect();
    let told = |of, by: Option<&str>| {
        let group_by = by.map(|by| by.parse().expect("a part"));
        let holdout = Holdout { fold: Some(Fold { number: 1, of }), group_by, ..Holdout::default() };
        holdout.divide(&names, Within::ClassFolder, &labels).err().map(|error| error.to_string())
    };
    assert_eq!(
        told(usize::MAX, None).as_deref(),
        Some(&*format!("there are only 8 training images for {} folds", usize::MAX))
    );
    assert_eq!(told(5, Some("_")).as_deref(), Some("there are only 4 groups for 5 folds"));
    assert_eq!((told(8, None), told(4, Some("_"))), (None, None));
}

#[test]
fn a_part_to_group_by_that_no_file_has_is_refused_and_a_file_without_it_is_a_group_by_itself() {
    let (mut names, labels) = images(&[4, 4]);
    let by = |by: &str| Holdout { group_by: Some(by.parse().expect("a part")), ..Holdout::default() };
    let error = by("_:99").divide(&names, Within::ClassFolder, &labels).err().expect("refused").to_string();
    assert!(error.starts_with("--group-by '_:99': none of 8 training images has such a part in its name (c0/0.jpg, "));
    names[..6].iter_mut().enumerate().for_each(|(i, name)| *name = format!("c{}/g{}_{i}.jpg", i / 4, i % 2));
    assert_eq!(by("_").ungrouped(&names, Within::ClassFolder), [&names[6], &names[7]]);
    // Images of g0 and g1 are of both classes; only the two others can be held out of the second without them.
    let divided = by("_").divide(&names, Within::ClassFolder, &labels).expect("divided");
    for group in ["/g0_", "/g1_"] {
        let held: Vec<bool> =
            (0..8).filter(|&i| names[i].contains(group)).map(|i| divided.held_out.contains(&i)).collect();
        assert!(held.iter().all(|is| *is == held[0]), "{group}: {held:?}");
    }
}
