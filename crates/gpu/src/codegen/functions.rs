//! The WGSL functions that generated code calls: one for each elementwise op and type in use, and what those call in turn.

use std::collections::BTreeMap;

use chiaro_graph::{Class, DType, Elementwise, Scalar};

/// Functions that others call, by the names with which their calls begin; each file may have several.
const HELPERS: &[(&str, &str)] = &[
    ("is_nan(", include_str!("is_nan.wgsl")),
    ("erf(", include_str!("erf.wgsl")),
    ("power(", include_str!("power.wgsl")),
    ("log_1p(", include_str!("log_1p.wgsl")),
    ("float_to_", include_str!("cast.wgsl")),
    ("as_half(", include_str!("as_half.wgsl")),
];

/// Functions in use, by name.
#[derive(Default)]
pub(crate) struct Functions {
    code: BTreeMap<String, String>,
    pub(super) random: bool,
}

impl Functions {
    /// The name of the function of an elementwise op on operands of a type (of the two values for a selection).
    pub(super) fn elementwise(&mut self, op: Elementwise, dtype: DType) -> String {
        let (arguments, result) = match op.class() {
            Class::Float => (DType::F32, DType::F32),
            Class::Number | Class::Select => (dtype, dtype),
            Class::Compare => (dtype, DType::Bool),
            Class::Logic => (DType::Bool, DType::Bool),
            Class::Check => (DType::F32, DType::Bool),
        };
        let name = format!("op_{}_{}", op.name().to_lowercase(), wgsl_type(arguments));
        let arguments: Vec<String> = op
            .operands()
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let selector = i == 0 && op.class() == Class::Select;
                format!("{x}: {}", if selector { "bool" } else { wgsl_type(arguments) })
            })
            .collect();
        // One expression serves all types, and integers have no NaN.
        let value = if dtype.is_float() { op.wgsl().to_string() } else { op.wgsl().replace("is_nan(x)", "false") };
        self.require(&value);
        self.code.entry(name.clone()).or_insert_with(|| {
            format!("fn {name}({}) -> {} {{\n    return {value};\n}}\n", arguments.join(", "), wgsl_type(result))
        });
        name
    }

    /// Adds the functions that some code calls, and those that they call.
    fn require(&mut self, code: &str) {
        for (call, helper) in HELPERS {
            if code.contains(call) && self.code.insert((*call).into(), (*helper).into()).is_none() {
                self.require(helper);
            }
        }
    }

    /// A value converted to another type; floats to integers as Rust does it.
    pub(super) fn cast(&mut self, to: DType, from: DType, value: &str) -> String {
        let cast = match (to.compute(), from.compute()) {
            (DType::F32, DType::F32 | DType::F16 | DType::I32 | DType::U32 | DType::Bool) if to == DType::F16 => {
                format!("as_half({value})")
            }
            // NaN is not 0, but compilers may take it to be neither equal nor unequal to anything.
            (DType::Bool, DType::F32) => format!("!({value} == 0.0)"),
            (DType::Bool, DType::I32) => format!("({value} != 0)"),
            (DType::Bool, DType::U32) => format!("({value} != 0u)"),
            (to @ (DType::I32 | DType::U32), DType::F32) => format!("float_to_{}({value})", wgsl_type(to)),
            (to, _) => format!("{}({value})", wgsl_type(to)),
        };
        self.require(&cast);
        cast
    }

    /// The literal of a number, exact to the last bit.
    pub(super) fn literal(&mut self, scalar: Scalar) -> String {
        let lane = scalar.lane();
        match scalar.dtype.compute() {
            DType::I32 => format!("i32({})", lane as i32),
            DType::U32 => format!("{lane}u"),
            DType::Bool => (lane != 0).to_string(),
            DType::F32 | DType::F16 => self.float(f32::from_bits(lane)),
        }
    }

    /// The literal of a float. WGSL has none for infinities and NaN, and forbids making them from constants.
    pub(super) fn float(&mut self, value: f32) -> String {
        if value.is_normal() || value == 0.0 {
            return format!("f32({value:?})");
        }
        let code = "fn float_from_bits(bits: u32) -> f32 {\n    var b = bits;\n    return bitcast<f32>(b);\n}\n";
        self.code.insert("float_from_bits".into(), code.into());
        format!("float_from_bits({:#010x}u)", value.to_bits())
    }

    /// The literal from which a float extreme starts; the code that takes it calls `is_nan`.
    pub(super) fn extreme(&mut self, value: f32) -> String {
        self.require("is_nan(");
        self.float(value)
    }

    /// The text of all functions in use.
    pub(crate) fn text(&self) -> String {
        let random = if self.random { include_str!("random.wgsl") } else { "" };
        let code: Vec<&str> = self.code.values().map(String::as_str).chain([random]).collect();
        code.concat()
    }
}

/// The type of a compute register.
pub(super) fn wgsl_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F16 => "f32",
        DType::I32 => "i32",
        DType::U32 => "u32",
        DType::Bool => "bool",
    }
}

/// The type of a stored element.
pub(crate) fn stored_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F16 => "f16",
        DType::Bool => "u32",
        DType::F32 | DType::I32 | DType::U32 => wgsl_type(dtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_round_trip() {
        let mut f = Functions::default();
        let mut literal = |value: f32| f.float(value);
        for value in [0.1f32, -0.0, 1e-7, f32::MAX, f32::MIN_POSITIVE, 16_777_216.0, 1.0 / 3.0] {
            let text = literal(value);
            let digits = text.trim_start_matches("f32(").trim_end_matches(')');
            assert_eq!(digits.parse::<f32>().map(f32::to_bits), Ok(value.to_bits()), "{text}");
        }
        assert_eq!(literal(f32::INFINITY), "float_from_bits(0x7f800000u)");
        assert_eq!(literal(f32::from_bits(1)), "float_from_bits(0x00000001u)");
        let int = Scalar { value: f64::from(i32::MIN), dtype: DType::I32 };
        assert_eq!(f.literal(int), "i32(-2147483648)");
        assert_eq!(f.literal(Scalar { value: 1.0, dtype: DType::Bool }), "true");
    }
}
