"""What onnxruntime answers for crates/onnx/tests/published.rs: python answers.py FOLDER FILE.onnx...

FOLDER/NAME gets the model with an input and the first output as ONNX' own cases have them; CHIARO_ANSWERS names FOLDER to the test.
Where a file leaves extents open they are 2; bytes are what a text of printable letters would be, floats lie in [-1, 1)."""

import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import numpy_helper

random = np.random.default_rng(7)
for path in map(Path, sys.argv[2:]):
    folder = Path(sys.argv[1]) / path.parent.name.replace(".", "-") / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {}
    for i, source in enumerate(session.get_inputs()):
        shape = [n if isinstance(n, int) and n > 0 else 2 for n in source.shape]
        whole = "int" in source.type
        values = random.integers(32, 127, shape) if whole else random.uniform(-1, 1, shape)
        given[source.name] = values.astype({"tensor(int32)": np.int32, "tensor(int64)": np.int64}.get(source.type, np.float32))
        (folder / f"input_{i}.pb").write_bytes(numpy_helper.from_array(given[source.name]).SerializeToString())
    answer = session.run(None, given)[0]
    (folder / "output_0.pb").write_bytes(numpy_helper.from_array(answer).SerializeToString())
    shutil.copy(path, folder / "model.onnx")
    print(f"{folder}: {[v.shape for v in given.values()]} to {answer.shape}")
