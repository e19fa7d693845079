"""An ONNX file by onnxruntime on the CPU: the workloads predict-1 and predict-32 of README.md. Needs numpy and onnxruntime."""

import argparse
import json
import os
import resource
import time

START = time.perf_counter()

import numpy
import onnxruntime


def hashed(count, stream):
    """Numbers in [0, 1) as benches/peers/src/numbers.rs makes them."""
    index = numpy.arange(count, dtype=numpy.uint32)
    with numpy.errstate(over="ignore"):
        start = index + numpy.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF)
        first = (start ^ (start >> numpy.uint32(16))) * numpy.uint32(0x7FEB352D)
        second = (first ^ (first >> numpy.uint32(15))) * numpy.uint32(0x846CA68B)
    return ((second ^ (second >> numpy.uint32(16))) >> numpy.uint32(8)).astype(numpy.float32) / numpy.float32(1 << 24)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", choices=["predict-1", "predict-32"], default="predict-1")
    parser.add_argument("--budget", type=float, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", required=True, help="the ONNX file")
    given = parser.parse_args()
    batch = int(given.workload.split("-")[1])
    init = time.perf_counter() - START
    begin = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = given.threads
    session = onnxruntime.InferenceSession(given.data, options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]
    outputs = [output.name for output in session.get_outputs()]
    wanted = "logits" if "logits" in outputs else outputs[0]
    shape = [batch, *source.shape[1:]]
    images = hashed(int(numpy.prod(shape)), 1000).reshape(shape)
    step = lambda: session.run([wanted], {source.name: images})[0]
    logits = step()
    first = time.perf_counter() - begin
    for _ in range(2):
        step()
    times, begin, cpu = [], time.perf_counter(), time.process_time()
    while len(times) < 5 or time.perf_counter() - begin < given.budget:
        start = time.perf_counter()
        logits = step()
        times.append((time.perf_counter() - start) * 1e3)
    cpu = (time.process_time() - cpu) * 1e3 / len(times)
    print(json.dumps({
        "peer": "onnxruntime", "version": onnxruntime.__version__, "workload": given.workload,
        "images_per_s": round(batch / min(times) * 1e3, 2), "logits": [round(float(x), 4) for x in logits[0, :3]],
        "step_ms_median": round(float(numpy.median(times)), 3), "step_ms_min": round(min(times), 3),
        "cpu_ms_per_step": round(cpu, 1), "steps": len(times), "init_s": round(init, 3), "first_step_s": round(first, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}))


main()
