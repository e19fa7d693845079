// The error function, absolute error below 2e-7. Fits by Chebyshev interpolation: odd polynomial up to 1, and up to 4
// the logarithm of what is missing to 1.
fn erf(x: f32) -> f32 {
    let a = min(abs(x), 4.0);
    let t = a * a;
    var small = 7.87587505e-5;
    small = small * t - 8.01686428e-4;
    small = small * t + 5.18908742e-3;
    small = small * t - 2.68542120e-2;
    small = small * t + 1.12835947e-1;
    small = small * t - 3.76126267e-1;
    small = small * t + 1.12837917;
    var large = -1.63715141e-6;
    large = large * a + 4.60580427e-5;
    large = large * a - 5.96805626e-4;
    large = large * a + 4.75959629e-3;
    large = large * a - 2.64211360e-2;
    large = large * a + 1.10080083e-1;
    large = large * a + 6.31826052e-1;
    large = large * a + 1.13023343;
    large = large * a - 3.20138052e-4;
    let y = select(1.0 - exp(-large), a * small, a < 1.0);
    return select(select(y, -y, x < 0.0), x, is_nan(x));
}
