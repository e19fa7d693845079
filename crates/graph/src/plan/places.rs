//! Where instructions stand in a program that is being written: looking through all of a long one for each that is added would take as many
//! steps as its length squared.

use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};

use super::program::{Instr, Reg};

/// Programs up to this length are looked through, which is faster there.
const SHORT: usize = 64;

/// The first place of each instruction of one program, to which nothing is done but adding to it.
#[derive(Debug, Default)]
pub(super) struct Places {
    upto: usize,
    first: FxHashMap<u64, Reg>,
}

fn hash(instr: &Instr) -> u64 {
    let mut hasher = FxHasher::default();
    instr.hash(&mut hasher);
    hasher.finish()
}

impl Places {
    /// The first instruction that is equal to this one.
    pub fn find(&mut self, instrs: &[Instr], instr: &Instr) -> Option<Reg> {
        let look = || instrs.iter().position(|other| other == instr);
        if instrs.len() <= SHORT {
            return look();
        }
        for (reg, known) in instrs.iter().enumerate().skip(self.upto) {
            self.first.entry(hash(known)).or_insert(reg);
        }
        self.upto = instrs.len();
        let reg = *self.first.get(&hash(instr))?;
        // Two instructions may have one hash.
        if instrs[reg] == *instr { Some(reg) } else { look() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::plan::program::Program;

    #[test]
    fn equal_instructions_of_long_programs_are_one_too() {
        let mut places = Places::default();
        let mut program = Program::new(&[4]);
        let one = |reg: usize| Instr::Cast(DType::F16, reg);
        for round in 0..2 {
            for i in 0..3 * SHORT {
                let reg =
                    program.push_found(&mut places, if i == 0 { Instr::Value(0) } else { one(i - 1) }, DType::F32);
                assert_eq!(reg, i, "round {round}");
            }
        }
        assert_eq!(program.instrs.len(), 3 * SHORT);
    }
}
