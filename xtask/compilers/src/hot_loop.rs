//! Finds the innermost loop with most multiply-adds in a driver's listing and counts what it is made of.

use std::collections::{BTreeSet, HashMap};

use crate::chips::Driver;
use crate::listing::{Op, adreno, amd, apple, intel, nvidia};

/// What a loop is made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loop {
    /// Multiply-adds of floats, or of matrices.
    pub multiply_adds: u32,
    /// Instructions of the arithmetic units, moves between registers included: neither memory nor control, on AMD nothing scalar.
    pub arithmetic: u32,
}

#[derive(Default)]
struct Code {
    ops: Vec<Op>,
    /// First and last instruction of each loop.
    loops: Vec<(usize, usize)>,
}

/// The hot loop of a listing; none where the compiler unrolled it whole.
pub fn find(driver: Driver, listing: &str) -> Option<Loop> {
    let code = match driver {
        Driver::Radv => labelled(listing, |line| label(line, "BB"), |line| jump(line, &["s_branch", "s_cbranch"]), amd),
        Driver::Turnip => {
            let jumps = ["jump", "br", "bra", "brac", "bany", "ball", "brao", "braa"];
            labelled(listing, |line| label(line, "l"), |line| jump(line, &jumps), adreno)
        }
        Driver::Anv => {
            let back =
                |line: &str| line.contains("while (").then(|| line.split_whitespace().last().map(str::to_owned))?;
            labelled(listing, |line| label(line, "L"), back, |line| intel(line).into_iter().collect())
        }
        Driver::Nvk => blocks(listing),
        Driver::Honeykrisp => offsets(listing),
    };
    let length = |l: &(usize, usize)| l.1 - l.0;
    let within = |l: &(usize, usize), o: &(usize, usize)| l.0 <= o.0 && o.1 <= l.1 && length(o) < length(l);
    let innermost = |l: &&(usize, usize)| !code.loops.iter().any(|o| within(l, o) && code.count(o).multiply_adds > 0);
    let counts = code.loops.iter().filter(innermost).map(|l| code.count(l));
    counts.max_by_key(|count| count.multiply_adds).filter(|count| count.multiply_adds > 0)
}

impl Code {
    fn count(&self, &(first, last): &(usize, usize)) -> Loop {
        let sum = |of: fn(&Op) -> bool| self.ops[first..=last].iter().filter(|op| of(op)).map(|op| op.times).sum();
        Loop { multiply_adds: sum(|op| op.multiply_add), arithmetic: sum(|op| op.arithmetic) }
    }
}

fn label(line: &str, start: &str) -> Option<String> {
    line.strip_suffix(':').filter(|name| name.starts_with(start)).map(str::to_owned)
}

/// Where a jump of one of these names goes.
fn jump(line: &str, names: &[&str]) -> Option<String> {
    let mut rest = line.trim_start();
    while let Some((_, after)) = rest.strip_prefix('(').and_then(|flag| flag.split_once(')')) {
        rest = after.trim_start();
    }
    let mut words = rest.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let first = words.next()?;
    let is = |name: &&str| first.strip_prefix(*name).is_some_and(|r| r.is_empty() || r.starts_with(['_', '.']));
    names.iter().any(is).then(|| words.next_back().map(|word| word.trim_start_matches('#').to_owned()))?
}

/// Listings of `label:` lines and jumps that name one.
fn labelled(
    listing: &str,
    label: impl Fn(&str) -> Option<String>,
    target: impl Fn(&str) -> Option<String>,
    read: impl Fn(&str) -> Vec<Op>,
) -> Code {
    let (mut code, mut at) = (Code::default(), HashMap::new());
    for line in listing.lines() {
        let line = line.split(';').next().unwrap_or("").trim();
        if let Some(name) = label(line) {
            at.insert(name, code.ops.len());
            continue;
        }
        let ops = read(line);
        if ops.is_empty() {
            continue;
        }
        code.ops.extend(ops);
        if let Some(&start) = target(line).and_then(|name| at.get(&name)) {
            code.loops.push((start, code.ops.len() - 1));
        }
    }
    code
}

/// NVK's blocks: `block N ... [predecessors] -> {` ... `} -> [successors]`. A loop is what reaches its jump back without passing
/// its head; the bodies of the innermost ones are laid one after the other.
fn blocks(listing: &str) -> Code {
    let (mut blocks, mut edges) = (Vec::<Vec<Op>>::new(), Vec::<Vec<usize>>::new());
    for line in listing.lines().map(str::trim) {
        if line.starts_with("block") && line.ends_with('{') {
            blocks.push(vec![]);
            edges.push(vec![]);
        } else if let Some(after) = line.strip_prefix("} -> [") {
            if let Some(last) = edges.last_mut() {
                last.extend(after.trim_end_matches(']').split(',').filter_map(|n| n.trim().parse::<usize>().ok()));
            }
        } else if let Some(block) = blocks.last_mut() {
            block.extend(nvidia(line));
        }
    }
    let bodies: Vec<_> = back_edges(&edges).map(|(from, head)| body(&edges, from, head)).collect();
    let works = |body: &BTreeSet<usize>| body.iter().any(|&b| blocks[b].iter().any(|op| op.multiply_add));
    let inner = |body: &BTreeSet<usize>| !bodies.iter().any(|o| o.len() < body.len() && o.is_subset(body) && works(o));
    let mut code = Code::default();
    for body in bodies.iter().filter(|body| works(body) && inner(body)) {
        let start = code.ops.len();
        code.ops.extend(body.iter().flat_map(|&b| blocks[b].iter().copied()));
        code.loops.push((start, code.ops.len() - 1));
    }
    code
}

fn back_edges(edges: &[Vec<usize>]) -> impl Iterator<Item = (usize, usize)> {
    edges
        .iter()
        .enumerate()
        .flat_map(|(from, next)| next.iter().filter(move |&&to| to <= from).map(move |&to| (from, to)))
}

fn body(edges: &[Vec<usize>], from: usize, head: usize) -> BTreeSet<usize> {
    let mut body = BTreeSet::from([head, from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == head {
            continue;
        }
        let before = edges.iter().enumerate().filter(|(_, next)| next.contains(&at)).map(|(block, _)| block);
        open.extend(before.filter(|&block| body.insert(block)));
    }
    body
}

/// Honeykrisp's lines `offset: bytes name operands`, jumps relative to their own offset; several programs follow each other.
fn offsets(listing: &str) -> Code {
    let (mut code, mut at) = (Code::default(), HashMap::new());
    let mut last = 0;
    for line in listing.lines() {
        let Some((offset, rest)) = line.trim().split_once(':') else { continue };
        let Ok(offset) = i64::from_str_radix(offset, 16) else { continue };
        let Some((op, by)) = apple(rest) else { continue };
        if offset <= last {
            at.clear();
        }
        last = offset;
        at.insert(offset, code.ops.len());
        code.ops.push(op);
        if let Some(&start) = by.filter(|&by| by < 0).and_then(|by| at.get(&(offset + by))) {
            code.loops.push((start, code.ops.len() - 1));
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(driver: Driver, listing: &str) -> Option<[u32; 2]> {
        find(driver, listing).map(|l| [l.multiply_adds, l.arithmetic])
    }

    #[test]
    fn the_inner_loop_of_each_drivers_listing_is_counted() {
        let amd = "BB1:\n v_mov_b32 v0, v1\nBB2:\n v_fma_f32 v0, v1, v2, v3\n v_dual_fmac_f32 v0, v1, v2 :: v_dual_mov_b32 v4, v5\n \
                   s_add_u32 s0, s0, 1\n ds_read_b128 v[0:3], v9\n s_cbranch_scc1 BB2\n s_branch BB1\n";
        assert_eq!(counts(Driver::Radv, amd), Some([2, 3]));
        let adreno = "l1:\n(sy)(rpt3)mad.f32 r0.x, r1.x, r2.x, r3.x\n(nop2) add.u r0.x, r0.x, 1\nldl.u32 r0.x, l[r1.x], 4\nbr p0.x, #l1\n";
        assert_eq!(counts(Driver::Turnip, adreno), Some([4, 5]));
        let intel = "L1:\nmad(8) r1:f r2:f\n(W) mad (8) r29:f r1:f r2:f r3:f\nadd (8) r4:d r5:d 1:d\nsend.slm (8) r1 r2\nwhile (8) L1\n";
        assert_eq!(counts(Driver::Anv, intel), Some([1, 2]));
        let nvidia = "block.u 0 L0 [] -> {\n r1 = mov r2 // delay\n} -> [1]\nblock.u 1 L1 [0, 1] -> {\n r1 = ffma.ftz r1 r2 r3 // d\n \
                      r4 = iadd3 r4 r5 // d\n r6 = ld.shared.b128 [r1] // d\n bra pT L1 // d\n} -> [1, 2]\n";
        assert_eq!(counts(Driver::Nvk, nvidia), Some([1, 2]));
        let apple = "0: 62000000  mov_imm r0, 0\n4: 3a0000  ffma r0, r1\n8: 0e0000  iadd r2, r3\nc: 690000  lload r4\n10: 2000  jmp_any -12\n";
        assert_eq!(counts(Driver::Honeykrisp, apple), Some([1, 2]));
    }

    #[test]
    fn a_program_without_a_loop_of_multiply_adds_has_no_hot_loop() {
        assert_eq!(
            counts(Driver::Radv, "BB1:\n v_mov_b32 v0, v1\n s_cbranch_scc1 BB1\n v_fma_f32 v0, v1, v2, v3\n"),
            None
        );
    }
}
