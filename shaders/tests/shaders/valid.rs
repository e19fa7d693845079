//! Every file and every variant parses, validates and translates to SPIR-V, MSL and HLSL; no device is needed.

use std::process::Command;

use chiaro_shaders::kernels::SumParts;
use chiaro_shaders::{Elem, Hook, ShaderError, Source, validate};

use crate::variants;

/// The storage buffers that every device binds at once.
const PORTABLE_BINDINGS: usize = 8;
/// Workgroup memory of the largest tile, which every adapter seen so far has.
const WORKGROUP_BYTES: u32 = 16 * 1024;

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
        assert!(checked.workgroup_bytes() <= 48 * 1024, "{label}");
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

fn sum() -> Source {
    SumParts { parts: 2, count: 3, out: Elem::F32 }.kernel().expect("a kernel").source
}

#[test]
fn a_broken_shader_is_rejected() {
    let source = sum().set_hook(Hook::Put, "    y[index] = valeu;").build().expect("composes");
    let error = validate::check(&source, &[]).expect_err("must fail");
    assert!(error.to_string().contains("valeu"), "{error}");
}

#[test]
fn what_a_template_leaves_open_must_be_given_as_what_it_is() {
    let error = |source: Source| source.build().expect_err("must fail").to_string();
    let open = Source::new("sum_parts").set_alias("OutElem", "f32").set_const("PARTS", 2u32);
    assert_eq!(error(open.clone()), "shader sum_parts: \"ELEMENTS\" was not given");
    assert_eq!(error(open.set_const("ELEMENTS", 3i32)), "shader sum_parts: const \"ELEMENTS\" is u32, not i32");
    assert_eq!(error(sum().set_const("PART", 2u32)), "shader sum_parts: const \"PART\" was found 0 times, not once");
    assert_eq!(error(sum().set_alias("Elem", "f16")), "shader sum_parts: alias \"Elem\" was found 0 times, not once");
    assert_eq!(
        error(sum().set_const("PARTS", f32::NAN)),
        "shader sum_parts: F32(NaN) cannot be the value of const \"PARTS\""
    );
    assert_eq!(error(sum().set_hook(Hook::Put4, "")), "shader sum_parts: fn \"put4\" was found 0 times, not once");
    assert_eq!(error(sum().with("fn put() {}")), "shader sum_parts: declaration \"put\" was found 2 times, not once");
    let other = ShaderError::MissingFn { shader: "sum_parts".into(), name: "put".into() };
    assert_eq!(error(sum().replace_fn("put", "fn element2() {}")), other.to_string());
    assert!(error(sum().with("fn f() {")).contains("has no end"));
}
