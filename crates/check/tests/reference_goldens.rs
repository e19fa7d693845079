//! PyTorch's golden values, every case of every operator family, on the reference executor.

use chiaro_check::golden::{FAMILIES, Golden, run_family};
use chiaro_cpu::reference::Reference;
use std::path::Path;

fn load(family: &str) -> Golden {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
    Golden::load(&folder.join(format!("{family}.safetensors"))).expect("a golden file of the repository")
}

#[test]
fn every_case_of_every_family_agrees_with_pytorch() {
    let mut failures = vec![];
    for &(family, cases) in FAMILIES {
        let golden = load(family);
        assert_eq!(golden.cases().len(), cases, "{family}");
        let checks = run_family(&mut Reference::new(), family, &golden).expect("every case runs");
        assert!(checks.len() >= cases, "{family}: every case has at least its output checked");
        let worst = checks.iter().map(|c| c.error).fold(0.0, f64::max);
        println!("{family}: {cases} cases, {} tensors, worst relative error {worst:.1e}", checks.len());
        failures.extend(checks.into_iter().filter(|c| c.failure.is_some()));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn the_families_are_all_the_operators_files_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
    let elsewhere = ["optimizers", "trajectory_lenet", "trajectory_resnet"];
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).expect("the folder of golden files") {
        let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
        if let Some(family) = name.strip_suffix(".safetensors").filter(|f| !elsewhere.contains(f)) {
            found.push(family.to_string());
        }
    }
    found.sort();
    let mut expected: Vec<String> = FAMILIES.iter().map(|(f, _)| f.to_string()).collect();
    expected.sort();
    assert_eq!(found, expected);
}
