"""Judges the files that crates/onnx/tests/export.rs leaves: python onnx_files.py FOLDER

Each NAME.onnx is checked by onnx in full, simplified by onnxsim where that is installed, and run by onnxruntime on NAME.images, of the
kind that NAME.kind tells; its logits must be those of NAME.logits to 1e-5 of the largest, and its first class the same for every image.
The last lines are a table of it, as docs/exchange.md has it."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

try:
    import onnxsim
except ImportError as cause:
    onnxsim = None
    print(f"not simplified: {cause}")

BOUND = 1e-5


def logits(model, images):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    parts = [session.run(["logits"], {"image": images[i : i + 20]})[0] for i in range(0, len(images), 20)]
    return np.concatenate(parts)


def judge(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    foreign = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    assert not foreign, f"ops of {foreign}"
    extents = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    images = np.fromfile(path.with_suffix(".images"), np.float32).reshape(-1, *extents)
    wanted = np.fromfile(path.with_suffix(".logits"), np.float32).reshape(len(images), -1)
    scale = max(np.abs(wanted).max(), 1e-3)
    found = logits(model.SerializeToString(), images)
    difference = np.abs(found - wanted).max() / scale
    assert difference < BOUND, f"logits differ by {difference:.1e}"
    # Where two classes are as close as floats are, either may be the first.
    best = np.sort(wanted, axis=1)
    margins = (best[:, -1] - best[:, -2]) / scale
    same = found.argmax(1) == wanted.argmax(1)
    assert same[margins > 2 * difference].all(), "other classes"
    if onnxsim:
        simple, fine = onnxsim.simplify(model)
        assert fine, "onnxsim refuses it"
        after = np.abs(logits(simple.SerializeToString(), images[:20]) - wanted[:20]).max() / scale
        assert after < BOUND, f"simplified, logits differ by {after:.1e}"
    seen = len(np.unique(wanted.argmax(1)))
    kind = path.with_suffix(".kind").read_text()
    size = "x".join(str(extent) for extent in extents[1:])
    rows.append(f"| {path.stem} | {size} | {len(images)} {kind} | {seen} | {same.sum()} | {difference:.1e} |")
    print(
        f"{path.stem}: logits differ by {difference:.1e} of the largest, the same class for {same.sum()} of {len(images)} {kind} "
        f"({seen} classes, the smallest margin {margins.min():.1e})",
        flush=True,
    )


failed, rows = 0, []
files = sorted(Path(sys.argv[1]).glob("*.onnx"))
print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, {len(files)} files")
for path in files:
    try:
        judge(path)
    except Exception as cause:
        failed += 1
        print(f"FAILED {path.stem}: {cause}")
print("\n".join(["", "| model | size | images | classes | same class | largest difference |", "|---|---|---|---|---|---|"] + rows))
sys.exit(1 if failed or not files else 0)
