//! K-means on a device: whole rounds (Lloyd 1982) and rounds over batches (Sculley 2010), from starts of k-means++ (Arthur and Vassilvitskii 2007).

use std::error::Error;

use chiaro::data::shuffled;
use chiaro::graph::{PlanId, ReduceKind, Shared};
use chiaro::nn::Init;
use chiaro::{Backend, DType, Graph, Tensor, Var};

const MOST_ROUNDS: usize = 300;

/// Points as a device takes them.
pub struct Points {
    /// Each as long as the others.
    pub rows: Vec<Vec<f64>>,
    all: Tensor,
}

/// What clustering found.
#[derive(Clone)]
pub struct Clusters {
    /// The centres, one after the other.
    pub centres: Tensor,
    /// The cluster of each point.
    pub of: Vec<usize>,
    /// The sum of squared distances to the nearest centres.
    pub inertia: f64,
}

impl Clusters {
    /// How many points each has, most first.
    pub fn sizes(&self, k: usize) -> Vec<usize> {
        let mut sizes: Vec<usize> = (0..k).map(|one| self.of.iter().filter(|&&at| at == one).count()).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }
}

/// The squared distance of each point `[N,D]` from each centre `[K,D]`, as differences: the shorter formula by products cancels.
fn distances(g: &mut Graph, points: Var, centres: Var) -> chiaro::graph::Result<Var> {
    let (n, k, d) = (g.shape(points)[0], g.shape(centres)[0], g.shape(points)[1]);
    let points = g.reshape(points, &[n, 1, d])?;
    let centres = g.reshape(centres, &[1, k, d])?;
    let difference = g.sub(points, centres)?;
    let square = g.square(difference)?;
    g.sum(square, &[2usize], false)
}

/// One round over `n` points of `d` numbers: from centres `[K,D]` and how many points each had before `[K,1]` to better ones, with each
/// point's centre and the inertia. Without points from before the new centres are the means of those that are nearest.
fn round([n, d, k]: [usize; 3]) -> chiaro::graph::Result<Graph> {
    let mut g = Graph::new();
    let points = g.input("points", &[n, d], DType::F32)?;
    let centres = g.input("centres", &[k, d], DType::F32)?;
    let before = g.input("before", &[k, 1], DType::F32)?;
    let all = distances(&mut g, points, centres)?;
    let least = g.reduce(ReduceKind::Min, all, &[1usize], false)?;
    let inertia = g.sum_all(least)?;
    let further = g.neg(all)?;
    let nearest = g.argmax(further, 1usize, false)?;
    let belongs = g.one_hot(nearest, k, DType::F32)?;
    let sums = g.matmul(belongs, points, true, false)?;
    let counts = g.sum(belongs, &[0usize], false)?;
    let counts = g.reshape(counts, &[k, 1])?;
    // Those of before count as points at the centre.
    let weight = g.mul(before, centres)?;
    let sums = g.add(sums, weight)?;
    let counts = g.add(counts, before)?;
    // A centre that nobody is nearest to stays where it is.
    let some = g.maximum(counts, 1.0)?;
    let means = g.div(sums, some)?;
    let none = g.equal(counts, 0.0)?;
    let next = g.where_(none, centres, means)?;
    for (name, value) in [("centres", next), ("counts", counts), ("nearest", nearest), ("inertia", inertia)] {
        g.output(name, value)?;
    }
    Ok(g)
}

/// Random numbers from 0 to 1.
fn draws(count: usize, seed: u64) -> Vec<f64> {
    Init::Uniform { bound: 0.5 }.values(&[count], seed, 0).into_iter().map(|draw| f64::from(draw) + 0.5).collect()
}

/// k-means++: each further centre is a point, taken with a probability that goes with its squared distance from the nearest so far. Of
/// several that are drawn so, the one that leaves the least distance is kept.
fn start(rows: &[Vec<f64>], k: usize, seed: u64) -> Vec<f64> {
    let tries = 2 + (k as f64).ln() as usize;
    let draws = draws(1 + k * tries, seed);
    let from = |row: &[f64], c: &[f64]| row.iter().zip(c).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut centres = vec![rows[(draws[0] * rows.len() as f64) as usize % rows.len()].clone()];
    let mut far: Vec<f64> = rows.iter().map(|row| from(row, &centres[0])).collect();
    for i in 1..k {
        let sum = far.iter().sum::<f64>();
        let tried = (0..tries).map(|t| {
            let mut left = draws[i * tries + t] * sum;
            let taken = far.iter().position(|d| {
                left -= d;
                left <= 0.0
            });
            let taken = &rows[taken.unwrap_or(rows.len() - 1)];
            let nearer: Vec<f64> = rows.iter().zip(&far).map(|(row, far)| far.min(from(row, taken))).collect();
            (nearer.iter().sum::<f64>(), nearer, taken)
        });
        let Some((_, nearer, taken)) = tried.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
        far = nearer;
        centres.push(taken.clone());
    }
    centres.concat()
}

impl Points {
    /// Rows of numbers, at least one.
    pub fn new(rows: Vec<Vec<f64>>) -> Result<Points, Box<dyn Error>> {
        let width = rows.first().ok_or("no points")?.len();
        let all =
            Tensor::from_f64([rows.len(), width], DType::F32, &rows.concat()).ok_or("rows of different length")?;
        Ok(Points { rows, all })
    }

    fn width(&self) -> usize {
        self.rows[0].len()
    }

    /// Rounds over all points until none moves; the tightest of several starts.
    pub fn lloyd(&self, device: &mut Shared, k: usize, starts: u64) -> Result<Clusters, Box<dyn Error>> {
        let plan = device.compile(&round([self.rows.len(), self.width(), k])?)?;
        let mut all = vec![];
        for seed in 0..starts {
            let centres = Tensor::from_f64([k, self.width()], DType::F32, &start(&self.rows, k, seed));
            all.push(self.settled(device, plan, centres.ok_or("k centres")?)?);
        }
        device.release_plan(plan)?;
        tightest(all)
    }

    /// Rounds over batches of so many points, each centre moving by the share of its points that are new; then one round over all.
    /// So many points are seen as the set has in `epochs`.
    pub fn mini_batch(
        &self,
        device: &mut Shared,
        k: usize,
        starts: u64,
        [batch, epochs]: [usize; 2],
    ) -> Result<Clusters, Box<dyn Error>> {
        let d = self.width();
        let whole = device.compile(&round([self.rows.len(), d, k])?)?;
        let part = device.compile(&round([batch, d, k])?)?;
        let mut all = vec![];
        for seed in 0..starts {
            let of = |shape: [usize; 2], values: &[f64]| Tensor::from_f64(shape, DType::F32, values).ok_or("k centres");
            let mut centres = of([k, d], &start(&self.rows, k, seed))?;
            let mut counts = of([k, 1], &vec![0.0; k])?;
            for epoch in 0..epochs {
                for places in shuffled(self.rows.len(), seed, epoch as u64).chunks_exact(batch) {
                    let values: Vec<f64> = places.iter().flat_map(|&at| self.rows[at].iter().copied()).collect();
                    device.run(part, &[of([batch, d], &values)?, centres, counts])?;
                    (centres, counts) = (device.read(part, 0)?, device.read(part, 1)?);
                }
            }
            all.push(self.asked(device, whole, &centres)?);
        }
        device.release_plan(part)?;
        device.release_plan(whole)?;
        tightest(all)
    }

    /// Rounds over all points until the inertia no longer falls.
    fn settled(&self, device: &mut Shared, plan: PlanId, mut centres: Tensor) -> Result<Clusters, Box<dyn Error>> {
        let mut before = f64::INFINITY;
        for _ in 0..MOST_ROUNDS {
            let found = self.asked(device, plan, &centres)?;
            if found.inertia >= before {
                return Ok(found);
            }
            (before, centres) = (found.inertia, device.read(plan, 0)?);
        }
        self.asked(device, plan, &centres)
    }

    /// Where the points belong by these centres.
    fn asked(&self, device: &mut Shared, plan: PlanId, centres: &Tensor) -> Result<Clusters, Box<dyn Error>> {
        let none = Tensor::zeros([centres.shape()[0], 1], DType::F32);
        device.run(plan, &[self.all.clone(), centres.clone(), none])?;
        let of = device.read(plan, 2)?.to_f64().into_iter().map(|at| at as usize).collect();
        Ok(Clusters { centres: centres.clone(), of, inertia: device.read(plan, 3)?.to_f64()[0] })
    }
}

fn tightest(all: Vec<Clusters>) -> Result<Clusters, Box<dyn Error>> {
    all.into_iter().min_by(|a, b| a.inertia.total_cmp(&b.inertia)).ok_or_else(|| "no start".into())
}
