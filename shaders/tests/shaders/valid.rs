//! Every file and every variant parses, validates and translates to SPIR-V, MSL and HLSL; no device is needed.

use std::collections::BTreeSet;
use std::process::Command;

use chiaro_shaders::{SHADERS, Source, validate};

use crate::variants;

/// The storage buffers that every device binds at once.
const PORTABLE_BINDINGS: usize = 8;
/// Workgroup memory of the largest tile, which every adapter seen so far has.
const WORKGROUP_BYTES: u32 = 16 * 1024;

#[test]
fn every_file_validates_alone() {
    for shader in SHADERS {
        let source = Source::new(shader.name).build().expect(shader.name);
        if let Err(e) = validate::check_module(&source) {
            panic!("{}.wgsl: {e}", shader.name);
        }
    }
}

#[test]
fn the_registry_holds_every_file_of_the_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/wgsl");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the folder of the shaders")
        .map(|f| f.expect("a file").file_name().to_string_lossy().replace(".wgsl", ""))
        .collect();
    let names: BTreeSet<String> = SHADERS.iter().map(|s| s.name.to_owned()).collect();
    assert_eq!(files, names);
}

#[test]
fn every_variant_translates_and_stays_within_portable_limits() {
    for (label, kernel) in variants::all() {
        let source = kernel.source.build().unwrap_or_else(|e| panic!("{label}: {e}"));
        let checked = validate::check(&source, &[]).unwrap_or_else(|e| panic!("{label}: {e}\n{source}"));
        for result in [checked.spirv().map(drop), checked.msl().map(drop), checked.hlsl().map(drop)] {
            assert_eq!(result, Ok(()), "{label}");
        }
        assert!(checked.storage_buffers() <= PORTABLE_BINDINGS, "{label}");
        assert!(checked.workgroup_bytes() <= WORKGROUP_BYTES, "{label}");
        let threads: u32 = checked.workgroup_size().iter().product();
        assert!((1..=256).contains(&threads), "{label}: {threads} invocations");
    }
}

#[test]
fn every_cooperative_variant_translates_where_such_matrices_exist() {
    for (label, kernel) in variants::cooperative() {
        let source = kernel.source.build().unwrap_or_else(|e| panic!("{label}: {e}"));
        let checked = validate::check(&source, &[]).unwrap_or_else(|e| panic!("{label}: {e}\n{source}"));
        assert_eq!(checked.spirv().map(drop), Ok(()), "{label}");
        assert_eq!(checked.msl().map(drop), Ok(()), "{label}");
        assert!(checked.workgroup_bytes() <= 32 * 1024, "{label}");
    }
}

#[test]
fn spirv_val_accepts_every_variant() {
    if Command::new("spirv-val").arg("--version").output().is_err() {
        eprintln!("not checked: there is no program spirv-val");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("module.spv");
    for (label, kernel) in variants::all() {
        let source = kernel.source.build().expect(&label);
        let words = validate::check(&source, &[]).and_then(|c| c.spirv()).expect(&label);
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        std::fs::write(&file, bytes).expect("a temporary file");
        let out = Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(&file).output();
        let out = out.expect("spirv-val");
        assert!(out.status.success(), "{label}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn a_broken_shader_is_rejected() {
    let source =
        Source::new("sum_parts").replace_fn("epilogue", "fn epilogue(value: f32, index: u32) -> f32 { return valeu; }");
    let error = validate::check(&source.build().expect("composes"), &[]).expect_err("must fail");
    assert!(error.to_string().contains("valeu"), "{error}");
}
