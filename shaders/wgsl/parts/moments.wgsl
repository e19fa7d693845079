// Moments of some values, and of two sets together.

// Number, mean and sum of squared deviations of some values.
struct Moments { count: f32, mean: f32, squares: f32 }

// Of two sets together (Chan, Golub, LeVeque 1979): exact where the mean is many times the spread.
fn merged(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = select(0.0, b.count / count, b.count > 0.0);
    let delta = b.mean - a.mean;
    return Moments(count, a.mean + delta * share, a.squares + b.squares + delta * delta * a.count * share);
}
