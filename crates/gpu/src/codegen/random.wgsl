// Philox 4x32-10 and the distributions made from it, as chiaro_graph::random_words defines them.

// Upper 32 bits of a product, from 16-bit pieces.
fn multiply_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn random_words(seed_low: u32, seed_high: u32, step: u32, salt: u32, block: u32) -> vec4<u32> {
    var c = vec4<u32>(block, step, salt, 0u);
    var key = vec2<u32>(seed_low, seed_high);
    for (var i = 0u; i < 10u; i++) {
        let high_a = multiply_high(c.x, 0xd2511f53u);
        let high_b = multiply_high(c.z, 0xcd9e8d57u);
        c = vec4<u32>(high_b ^ c.y ^ key.x, c.z * 0xcd9e8d57u, high_a ^ c.w ^ key.y, c.x * 0xd2511f53u);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

fn random_uniform(word: u32) -> f32 {
    return f32(word >> 8u) * (1.0 / 16777216.0);
}

// Natural logarithm for numbers in (0, 1], exact to the last bits near 1 too, which WGSL does not ask of log.
fn random_log(x: f32) -> f32 {
    let bits = bitcast<u32>(x) + (0x3f800000u - 0x3f3504f3u);
    let exponent = f32(i32(bits >> 23u) - 127);
    let mantissa = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u);
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let t = s * s;
    let tail = t * (0.33333333 + t * (0.2 + t * (0.14285714 + t * 0.11111111)));
    return exponent * 0.69314718 + (2.0 * s + 2.0 * s * tail);
}

// Both normal numbers of two words; sine and cosine are polynomials over an eighth of a turn, since those of WGSL may be coarse.
fn random_normal_pair(first: u32, second: u32) -> vec2<f32> {
    let radius = sqrt(-2.0 * random_log((f32(first >> 8u) + 1.0) * (1.0 / 16777216.0)));
    let turn = random_uniform(second);
    let quarter = floor(turn * 4.0 + 0.5);
    let r = turn - quarter * 0.25;
    let t = r * r;
    let sine = r * (6.28318531 + t * (-41.3417022 + t * (81.6052047 + t * (-76.6978663 + t * 41.4728306))));
    let cosine = 1.0 + t * (-19.7392087 + t * (64.9393161 + t * (-85.4428447 + t * 59.2201687)));
    let q = u32(quarter) & 3u;
    let swapped = select(vec2<f32>(cosine, sine), vec2<f32>(sine, cosine), (q & 1u) == 1u);
    let signs = vec2<f32>(select(1.0, -1.0, q == 1u || q == 2u), select(1.0, -1.0, q >= 2u));
    return radius * swapped * signs;
}

fn random_normal(words: vec4<u32>, lane: u32) -> f32 {
    let pair = random_normal_pair(words[lane & 2u], words[(lane & 2u) + 1u]);
    return select(pair.x, pair.y, (lane & 1u) == 1u);
}
