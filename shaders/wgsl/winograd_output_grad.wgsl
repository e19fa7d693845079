// Tiles of 4x4 gradients of a convolution's results to 36 positions each, for the weight gradient's product of every position.

fn column(at: Place, j: u32) -> Six {
    return output_grad_line(Four(pixel(at, 0u, j), pixel(at, 1u, j), pixel(at, 2u, j), pixel(at, 3u, j)));
}

fn element(i: u32) {
    let at = place(i);
    let c0 = column(at, 0u);
    let c1 = column(at, 1u);
    let c2 = column(at, 2u);
    let c3 = column(at, 3u);
    put_line(0u, i, output_grad_line(Four(c0.a, c1.a, c2.a, c3.a)));
    put_line(1u, i, output_grad_line(Four(c0.b, c1.b, c2.b, c3.b)));
    put_line(2u, i, output_grad_line(Four(c0.c, c1.c, c2.c, c3.c)));
    put_line(3u, i, output_grad_line(Four(c0.d, c1.d, c2.d, c3.d)));
    put_line(4u, i, output_grad_line(Four(c0.e, c1.e, c2.e, c3.e)));
    put_line(5u, i, output_grad_line(Four(c0.f, c1.f, c2.f, c3.f)));
}
