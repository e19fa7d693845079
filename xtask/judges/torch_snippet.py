"""Runs the lines of docs/exchange.md that load weights into PyTorch, and compares: python torch_snippet.py DOCS FOLDER

FOLDER holds what crates/train/tests/torch_layout.rs leaves: weights.safetensors, images and logits."""

import os
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision

text = Path(sys.argv[1]).read_text()
snippet = text.split("```python\n")[1].split("```")[0]
os.chdir(sys.argv[2])
names = {"torchvision": torchvision}
exec(snippet, names)
images = np.fromfile("images", np.float32).reshape(-1, 3, 224, 224)
wanted = np.fromfile("logits", np.float32).reshape(len(images), -1)
with torch.no_grad():
    found = names["model"](torch.from_numpy(images)).numpy()
difference = np.abs(found - wanted).max() / np.abs(wanted).max()
print(f"torch {torch.__version__}: logits differ by {difference:.1e} of the largest")
sys.exit(0 if difference < 1e-5 else 1)
