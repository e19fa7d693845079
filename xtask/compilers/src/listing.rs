//! Single lines of the drivers' listings of machine code: whether an instruction multiplies and adds, or is arithmetic at all.

/// An instruction, or a bundle that is issued as one.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    /// How often a repeated one is issued.
    pub times: u32,
    pub arithmetic: bool,
    pub multiply_add: bool,
}

fn begins(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

/// `v_fma_f32 v0, v1, v2, v3`. Two of one bundle stand on a line: `v_dual_fmac_f32 a :: v_dual_fmac_f32 b`.
pub fn amd(line: &str) -> Vec<Op> {
    const MULTIPLY: &[&str] =
        &["v_fma", "v_dual_fma", "v_pk_fma", "v_wmma", "v_mad_f", "v_mac_f", "v_dot", "v_dual_dot"];
    let names = line.split("::").filter_map(|part| part.split_whitespace().next()).filter(|name| name.contains('_'));
    let op = |name: &str| Op { times: 1, arithmetic: name.starts_with("v_"), multiply_add: begins(name, MULTIPLY) };
    names.map(op).collect()
}

/// `(sy)(rpt3)mad.f32 r0.x, ...`: flags, one of which repeats the instruction.
pub fn adreno(line: &str) -> Vec<Op> {
    const OTHER: &[&str] = &[
        "ld", "st", "isam", "ldib", "stib", "nop", "br", "jump", "bar", "end", "sam", "fence", "resinfo", "atomic",
        "bany", "ball",
    ];
    let (mut times, mut rest) = (1, line);
    while let Some(inner) = rest.trim_start().strip_prefix('(') {
        let Some((flag, after)) = inner.split_once(')') else { return vec![] };
        if let Some(more) = flag.strip_prefix("rpt") {
            times = more.parse::<u32>().unwrap_or(0) + 1;
        }
        rest = after;
    }
    let name = rest.split_whitespace().next().unwrap_or("");
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return vec![];
    }
    vec![Op { times, arithmetic: !begins(name, OTHER), multiply_add: begins(name, &["mad.f", "dp"]) }]
}

/// `r1 = ffma.ftz r2 r3 r4 // delay=1`, a predicate before the name where there is one.
pub fn nvidia(line: &str) -> Option<Op> {
    const OTHER: &[&str] = &[
        "ld", "st", "bra", "bar", "nop", "bsync", "bssy", "bclear", "exit", "s2r", "cs2r", "atom", "membar", "ccctl",
        "warpsync", "depbar",
    ];
    let text = line.split("//").next().unwrap_or("");
    let text = text.rsplit_once(" = ").map_or(text, |parts| parts.1);
    let name = text.split_whitespace().find(|word| !word.starts_with('@'))?;
    let multiply_add = begins(name, &["ffma", "hfma2", "dfma", "hmma", "imma"]);
    Some(Op { times: 1, arithmetic: !begins(name, OTHER), multiply_add })
}

/// `(W) mad (16) r29:f ...`: a mask, the name, the width, the operands.
pub fn intel(line: &str) -> Option<Op> {
    const OTHER: &[&str] = &[
        "send", "sends", "sendc", "sync", "nop", "while", "do", "if", "else", "endif", "break", "jmpi", "halt", "cont",
        "goto", "wait",
    ];
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with('('));
    let (name, width) = (words.next()?, words.next()?);
    if !width.starts_with('(') || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let base = name.split('.').next().unwrap_or(name);
    let float = line.contains(":f ") || line.contains(":hf") || line.ends_with(":f");
    let multiply_add = base == "dpas" || (["mad", "mac"].contains(&base) && float);
    Some(Op { times: 1, arithmetic: !OTHER.contains(&base), multiply_add })
}

/// `bytes name operands` behind the offset, and by how much a jump goes.
pub fn apple(line: &str) -> Option<(Op, Option<i64>)> {
    const OTHER: &[&str] = &[
        "load",
        "store",
        "lload",
        "lstore",
        "threadgroup",
        "wait",
        "jmp",
        "stop",
        "pop_exec",
        "while",
        "if",
        "else",
        "nop",
        "barrier",
        "push",
        "device",
        "local",
        "stack",
        "uniform",
    ];
    let mut words = line.split_whitespace();
    let (bytes, name) = (words.next()?, words.next()?);
    if !bytes.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let by = name.starts_with("jmp").then(|| words.next().and_then(|word| word.parse().ok()).unwrap_or(0));
    let multiply_add = begins(name, &["ffma", "hfma", "simd_matrix"]);
    Some((Op { times: 1, arithmetic: !begins(name, OTHER), multiply_add }, by))
}
