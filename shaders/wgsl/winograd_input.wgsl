// Tiles of 6x6 pixels to 36 positions each, for Winograd's product of every position.

fn column(at: Place, j: u32) -> Six {
    return input_line(Six(
        pixel(at, 0u, j),
        pixel(at, 1u, j),
        pixel(at, 2u, j),
        pixel(at, 3u, j),
        pixel(at, 4u, j),
        pixel(at, 5u, j),
    ));
}

fn element(i: u32) {
    let at = place(i);
    let c0 = column(at, 0u);
    let c1 = column(at, 1u);
    let c2 = column(at, 2u);
    let c3 = column(at, 3u);
    let c4 = column(at, 4u);
    let c5 = column(at, 5u);
    put_line(0u, i, input_line(Six(c0.a, c1.a, c2.a, c3.a, c4.a, c5.a)));
    put_line(1u, i, input_line(Six(c0.b, c1.b, c2.b, c3.b, c4.b, c5.b)));
    put_line(2u, i, input_line(Six(c0.c, c1.c, c2.c, c3.c, c4.c, c5.c)));
    put_line(3u, i, input_line(Six(c0.d, c1.d, c2.d, c3.d, c4.d, c5.d)));
    put_line(4u, i, input_line(Six(c0.e, c1.e, c2.e, c3.e, c4.e, c5.e)));
    put_line(5u, i, input_line(Six(c0.f, c1.f, c2.f, c3.f, c4.f, c5.f)));
}
