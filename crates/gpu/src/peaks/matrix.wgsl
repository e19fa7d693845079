enable f16;
enable wgpu_cooperative_matrix;

// Cooperative matrices that stay in registers: eight sums of 16x16, so that one multiplication need not wait for another.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> target_: array<vec4<f32>>;

const ROUNDS: u32 = 256u;
const SIZE: u32 = 16u;

var<workgroup> factors: array<f16, SIZE * SIZE>;
var<workgroup> sums: array<f32, SIZE * SIZE>;

@compute @workgroup_size(128)
fn matrices(@builtin(local_invocation_index) lane: u32) {
    for (var i = lane; i < SIZE * SIZE; i += 128u) {
        factors[i] = f16(source[i % 128u].x);
    }
    workgroupBarrier();
    let a = coopLoad<coop_mat16x16<f16, A>>(&factors[0], SIZE);
    let b = coopLoad<coop_mat16x16<f16, B>>(&factors[0], SIZE);
    var sum0 = coop_mat16x16<f32, C>();
    var sum1 = coop_mat16x16<f32, C>();
    var sum2 = coop_mat16x16<f32, C>();
    var sum3 = coop_mat16x16<f32, C>();
    var sum4 = coop_mat16x16<f32, C>();
    var sum5 = coop_mat16x16<f32, C>();
    var sum6 = coop_mat16x16<f32, C>();
    var sum7 = coop_mat16x16<f32, C>();
    for (var i = 0u; i < ROUNDS; i++) {
        sum0 = coopMultiplyAdd(a, b, sum0);
        sum1 = coopMultiplyAdd(a, b, sum1);
        sum2 = coopMultiplyAdd(a, b, sum2);
        sum3 = coopMultiplyAdd(a, b, sum3);
        sum4 = coopMultiplyAdd(a, b, sum4);
        sum5 = coopMultiplyAdd(a, b, sum5);
        sum6 = coopMultiplyAdd(a, b, sum6);
        sum7 = coopMultiplyAdd(a, b, sum7);
    }
    // Every sum is used, so that none can be left out; which subgroup stores last does not matter.
    coopStore(sum0, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].x += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum1, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].y += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum2, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].z += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum3, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].w += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum4, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].x += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum5, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].y += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum6, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].z += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
    coopStore(sum7, &sums[0], SIZE);
    workgroupBarrier();
    target_[lane].w += sums[lane % (SIZE * SIZE)];
    workgroupBarrier();
}
