"""JPEG files of a folder a second that one core decodes and resizes, as crates/data/examples/decode.rs does: with Pillow, with
Pillow's reduced decoding (`draft`), and with torchvision. python decode.py FOLDER SIDE (needs pillow, torch and torchvision)"""
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_jpeg, read_file
from torchvision.transforms.functional import resize

ROUNDS = 5
torch.set_num_threads(1)


def pillow(path, side):
    return Image.open(path).convert("RGB").resize((side, side), Image.BILINEAR)


def reduced(path, side):
    image = Image.open(path)
    image.draft("RGB", (side, side))
    return image.convert("RGB").resize((side, side), Image.BILINEAR)


def torchvision(path, side):
    return resize(decode_jpeg(read_file(str(path))), [side, side], antialias=True)


folder, side = sys.argv[1], int(sys.argv[2])
files = sorted(Path(folder).rglob("*.jpg"))
for work in (pillow, reduced, torchvision):
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for path in files:
            work(path, side)
        best = min(best, time.perf_counter() - started)
    print(f"{work.__name__}: {len(files)} files to {side}x{side}: {len(files) / best:.0f} a second on one core")
apart = [np.abs(np.asarray(pillow(f, side)).astype(int) - np.asarray(reduced(f, side))) for f in files]
print(f"reduced decoding: up to {max(a.max() for a in apart)} of 255 apart, mean {np.mean([a.mean() for a in apart]):.2f}")
