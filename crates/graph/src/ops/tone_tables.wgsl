
// A word of the table of a channel of an image: four values. An invocation counts the image's pixels by itself, if it must.
fn element(index: u32) -> u32 {
    let n = index / (64u * CHANNELS);
    let c = index / 64u % CHANNELS;
    let value = vec4(index % 64u * 4u) + vec4(0u, 1u, 2u, 3u);
    let kind = tone[2u * n];
    let by = tone[2u * n + 1u];
    var toned = value;
    if (kind == 1) {
        toned = value & vec4(u32(by));
    } else if (kind == 2) {
        toned = select(value, vec4(255u) - value, vec4<i32>(value) >= vec4(by));
    } else if (kind == 3 || kind == 4) {
        let first = u32(clamp(chosen[n], 0, i32(STORED) - 1)) * WORDS;
        var below = vec4(0u);
        var least = 255u;
        var most = 0u;
        var brightest = 0u;
        for (var i = 0u; i < PIXELS; i++) {
            let at = i * CHANNELS + c;
            let pixel = (pixels[first + at / 4u] >> (at % 4u * 8u)) & 255u;
            below += select(vec4(0u), vec4(1u), vec4(pixel) < value);
            brightest = select(select(brightest, brightest + 1u, pixel == most), 1u, pixel > most);
            most = max(most, pixel);
            least = min(least, pixel);
        }
        let step = (PIXELS - brightest) / 255u;
        if (kind == 3 && step > 0u) {
            toned = min((vec4(step / 2u) + below) / vec4(step), vec4(255u));
        }
        if (kind == 4 && most > least) {
            toned = (clamp(value, vec4(least), vec4(most)) - vec4(least)) * vec4(255u) / vec4(most - least);
        }
    }
    return toned.x | (toned.y << 8u) | (toned.z << 16u) | (toned.w << 24u);
}
