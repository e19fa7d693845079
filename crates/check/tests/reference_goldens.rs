//! PyTorch's golden values, every case of every operator family, on the reference executor.

use chiaro_check::golden::{FAMILIES, Golden, run_family};
use chiaro_cpu::reference::Reference;
use chiaro_graph::{Backend, BackendError, Graph, PlanId, Stats, Tensor};
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

/// The reference with one element of everything that is read changed: the negative control.
struct Corrupted(Reference);

impl Backend for Corrupted {
    fn name(&self) -> String {
        "corrupted".into()
    }
    fn compile(&mut self, graph: &Graph) -> Result<PlanId, BackendError> {
        self.0.compile(graph)
    }
    fn run(&mut self, plan: PlanId, inputs: &[Tensor]) -> Result<(), BackendError> {
        self.0.run(plan, inputs)
    }
    fn read(&mut self, plan: PlanId, output: usize) -> Result<Tensor, BackendError> {
        let tensor = self.0.read(plan, output)?;
        let mut values = tensor.to_f64();
        // One part in a hundred of the whole tensor's norm, or one step of an integer.
        let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
        values[0] += if tensor.dtype().is_float() { 0.01 * norm.max(1e-3) } else { 1.0 };
        Ok(Tensor::from_f64(tensor.shape().to_vec(), tensor.dtype(), &values).expect("as many elements"))
    }
    fn write_arena(&mut self, name: &str, values: &Tensor) -> Result<(), BackendError> {
        self.0.write_arena(name, values)
    }
    fn write_arena_part(&mut self, name: &str, first: usize, values: &Tensor) -> Result<(), BackendError> {
        self.0.write_arena_part(name, first, values)
    }
    fn room(&self) -> u64 {
        self.0.room()
    }
    fn read_arena(&mut self, name: &str) -> Result<Tensor, BackendError> {
        self.0.read_arena(name)
    }
    fn release_plan(&mut self, plan: PlanId) -> Result<(), BackendError> {
        self.0.release_plan(plan)
    }
    fn release_arena(&mut self, name: &str) -> Result<(), BackendError> {
        self.0.release_arena(name)
    }
    fn stats(&self) -> Stats {
        self.0.stats()
    }
}

#[test]
fn every_stored_result_notices_one_changed_element() {
    for &(family, _) in FAMILIES {
        let checks = run_family(&mut Corrupted(Reference::new()), family, &load(family)).expect("every case runs");
        for check in checks {
            assert!(check.failure.is_some(), "{} {} passed with a changed element", check.case, check.role);
        }
    }
}

#[test]
fn the_families_are_all_the_operators_files_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens");
    let elsewhere = ["augment", "inner", "models", "optimizers", "sequences", "trajectory_lenet", "trajectory_resnet"];
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
