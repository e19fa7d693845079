//! Einsum of one and two operands: transpositions, sums, and one batched matrix product.

use chiaro_graph::{Graph, Var};

use crate::call::Call;
use crate::error::{OnnxError, Result};
use crate::record::Recorder;
use crate::value::Value;

/// A value whose axes have letters.
struct Lettered {
    var: Var,
    letters: Vec<char>,
}

pub(crate) fn record<'a>(r: &mut Recorder<'a>, call: &Call<'a>) -> Result<Vec<Value>> {
    let equation: String = call.text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left.to_string(), Some(right.to_string())),
        None => (equation.clone(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != call.inputs() || terms.len() > 2 {
        return r.fault(format!("{equation:?} is not supported, but equations of one and two operands"));
    }
    let mut operands = vec![];
    for (i, term) in terms.iter().enumerate() {
        let var = r.input(call, i)?;
        let rank = r.graph().shape(var).len();
        let letters = letters(term, rank)?;
        operands.push(diagonal(r.graph(), Lettered { var, letters })?);
    }
    let out = match right {
        Some(right) => {
            let dots =
                operands.iter().map(|o| o.letters.iter().filter(|c| c.is_ascii_digit()).count()).max().unwrap_or(0);
            let named = right.chars().filter(|c| c.is_ascii_alphabetic()).count();
            letters(&right, named + if right.contains("...") { dots } else { 0 })?
        }
        None => implied(&operands),
    };
    let g = r.graph();
    let mut it = operands.into_iter();
    let first = it.next().ok_or_else(|| OnnxError::node("there is no operand"))?;
    let y = match it.next() {
        None => first,
        Some(second) => product(g, first, second, &out)?,
    };
    let y = arranged(g, y, &out)?;
    Ok(r.plain(y))
}

/// One letter an axis; those of an ellipsis are digits, counted from the last.
fn letters(term: &str, rank: usize) -> Result<Vec<char>> {
    let (front, behind) = term.split_once("...").unwrap_or((term, ""));
    let named = front.chars().count() + behind.chars().count();
    let dots = rank.checked_sub(named).filter(|&d| d <= 9 && (d == 0 || term.contains("...")));
    let dots = dots.ok_or_else(|| OnnxError::node(format!("{term:?} does not name {rank} axes")))?;
    let digits = (0..dots).rev().filter_map(|d| char::from_digit(d as u32, 10));
    Ok(front.chars().chain(digits).chain(behind.chars()).collect())
}

/// The letters that stand once, in order, behind those of ellipses.
fn implied(operands: &[Lettered]) -> Vec<char> {
    let all: Vec<char> = operands.iter().flat_map(|o| o.letters.iter().copied()).collect();
    let mut dots: Vec<char> = all.iter().copied().filter(char::is_ascii_digit).collect();
    dots.sort_unstable();
    dots.dedup();
    let mut once: Vec<char> =
        all.iter().copied().filter(|c| !c.is_ascii_digit() && all.iter().filter(|x| *x == c).count() == 1).collect();
    once.sort_unstable();
    dots.into_iter().rev().chain(once).collect()
}

/// A letter that stands twice takes the diagonal.
fn diagonal(g: &mut Graph, mut x: Lettered) -> Result<Lettered> {
    while let Some((i, j)) = twice(&x.letters) {
        let n = g.shape(x.var)[i];
        let (mut along, mut across) = (vec![1; x.letters.len()], vec![1; x.letters.len()]);
        (along[i], across[j]) = (n, n);
        let positions = g.iota(n)?;
        let (rows, columns) = (g.reshape(positions, &along)?, g.reshape(positions, &across)?);
        let hit = g.equal(rows, columns)?;
        let kept = g.where_(hit, x.var, 0.0)?;
        x.var = g.sum(kept, &[j], false)?;
        x.letters.remove(j);
    }
    Ok(x)
}

fn twice(letters: &[char]) -> Option<(usize, usize)> {
    (0..letters.len()).find_map(|i| (i + 1..letters.len()).find(|&j| letters[j] == letters[i]).map(|j| (i, j)))
}

/// Two operands as one batched product: letters of both that stay are batches, those that go are summed.
fn product(g: &mut Graph, a: Lettered, b: Lettered, out: &[char]) -> Result<Lettered> {
    let a_only = |x: &Lettered, y: &Lettered| -> Vec<char> {
        x.letters.iter().copied().filter(|c| !y.letters.contains(c) && out.contains(c)).collect()
    };
    let (rows, columns) = (a_only(&a, &b), a_only(&b, &a));
    let both: Vec<char> = a.letters.iter().copied().filter(|c| b.letters.contains(c)).collect();
    let (batch, inner): (Vec<char>, Vec<char>) = both.into_iter().partition(|c| out.contains(c));
    let sizes = |g: &Graph, x: &Lettered, of: &[char]| -> Vec<usize> {
        of.iter().map(|c| x.letters.iter().position(|l| l == c).map_or(1, |i| g.shape(x.var)[i])).collect()
    };
    let batches: Vec<usize> = sizes(g, &a, &batch).iter().zip(sizes(g, &b, &batch)).map(|(&m, n)| m.max(n)).collect();
    let (m, n, k) = (sizes(g, &a, &rows), sizes(g, &b, &columns), sizes(g, &a, &inner));
    let count = |v: &[usize]| v.iter().product::<usize>();
    let mut matrix = |x: Lettered, order: Vec<char>, extents: [usize; 2]| -> Result<Var> {
        let var = arranged(g, x, &order)?;
        let own = g.shape(var).to_vec();
        let wide = [&batches[..], &own[batches.len()..]].concat();
        let var = g.broadcast_to(var, &wide)?;
        Ok(g.reshape(var, &[count(&batches), extents[0], extents[1]])?)
    };
    let left = matrix(a, [&batch[..], &rows[..], &inner[..]].concat(), [count(&m), count(&k)])?;
    let right = matrix(b, [&batch[..], &inner[..], &columns[..]].concat(), [count(&k), count(&n)])?;
    let y = g.matmul(left, right, false, false)?;
    let var = g.reshape(y, &[&batches[..], &m[..], &n[..]].concat())?;
    Ok(Lettered { var, letters: [batch, rows, columns].concat() })
}

/// Axes in this order, others summed.
fn arranged(g: &mut Graph, x: Lettered, order: &[char]) -> Result<Var> {
    let gone: Vec<usize> = (0..x.letters.len()).filter(|&i| !order.contains(&x.letters[i])).collect();
    let var = g.sum(x.var, &gone, false)?;
    let left: Vec<char> = x.letters.iter().copied().filter(|c| order.contains(c)).collect();
    let perm: Option<Vec<usize>> = order.iter().map(|c| left.iter().position(|l| l == c)).collect();
    let perm = perm.filter(|p| p.len() == left.len()).ok_or_else(|| OnnxError::node("a letter is of no operand"))?;
    Ok(g.transpose(var, &perm)?)
}
