"""Opens the events of a run with the real TensorBoard: python tensorboard_run.py PROGRAM DIGITS FOLDER

PROGRAM trains on DIGITS, TensorBoard serves the run, and what it answers over HTTP must be what results.csv and the weights say."""

import csv
import json
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import tensorboard

program, digits, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
EPOCHS, RATE = 3, 0.1
# Numbers of a parameter that histograms are made of (crates/train/src/tensorboard/histogram.rs).
MOST = 100_000
# One plain step an epoch: a gradient is what it changes, divided by the rate.
PLAIN = "--optimizer sgd --momentum 0 --weight-decay 0 --schedule constant --warmup 0 --augment none --limit 256 --batch-size 256"


def train(run, epochs):
    command = [program, "train", digits, "--model", "mlp", "--device", "cpu", "--lr", str(RATE), "--epochs", str(epochs), *PLAIN.split()]
    subprocess.run([*command, "--out", run], check=True, stdout=subprocess.DEVNULL)


def weights(run):
    data = (run / "weights/last.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    named = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: np.frombuffer(body[begin:end], np.float32).astype(np.float64) for name, (begin, end) in named.items()}


def start(logs):
    """The server, and the address that it prints."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logs, "--port", "0", "--host", "127.0.0.1", "--load_fast", "false"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "http://" in line:
            return server, "http://" + line.split("http://")[1].split()[0].rstrip("/")
    sys.exit("TensorBoard does not start")


def ask(address, plugin, path, **query):
    with urllib.request.urlopen(f"{address}/data/plugin/{plugin}/{path}?{urllib.parse.urlencode(query)}") as answer:
        return answer.read()


def tags(address, plugin):
    """What the server has of the run, once it has read the file."""
    until = time.time() + 60
    while time.time() < until:
        known = json.loads(ask(address, plugin, "tags")).get("run")
        if known:
            return known
        time.sleep(0.5)
    sys.exit(f"TensorBoard finds no {plugin}")


def judge_numbers(address, run):
    columns = {"loss/train": "train/loss", "loss/val": "val/loss", "accuracy/val": "metrics/accuracy_top1", "lr/pg0": "lr/pg0"}
    rows = list(csv.DictReader((run / "results.csv").read_text().splitlines()))
    known = tags(address, "scalars")
    for tag, column in columns.items():
        assert tag in known, (tag, sorted(known))
        told = json.loads(ask(address, "scalars", "scalars", tag=tag, run="run"))
        assert [step for _, step, _ in told] == list(range(1, EPOCHS + 1)), told
        for (_, _, value), row in zip(told, rows, strict=True):
            assert abs(value - float(row[column])) < 1e-6 * (1 + abs(value)), (tag, value, row)
    return f"{len(known)} numbers an epoch"


def judge_histograms(address, run, before):
    after, known = weights(run), tags(address, "histograms")
    assert len(known) == 2 * len(after), (sorted(known), sorted(after))
    worst = 0.0
    for name, last in after.items():
        values = {"weights": last, "gradients": (before[name] - last) / RATE}
        for kind, wanted in values.items():
            tag = f"{kind}/{name.replace('.', '/')}"
            told = json.loads(ask(address, "histograms", "histograms", tag=tag, run="run"))
            assert [step for _, step, _ in told] == list(range(1, EPOCHS + 1)), (tag, told)
            # Of many numbers every so manieth is looked at.
            wanted = wanted[:: -(-len(wanted) // MOST)]
            span = wanted.max() - wanted.min()
            assert span > 0, f"{tag} are all the same"
            # Bins of equal width from the smallest number to the largest.
            bins = [one for one in told[-1][2] if one[2] > 0]
            worst = max(worst, np.abs([bins[0][0] - wanted.min(), bins[-1][1] - wanted.max()]).max() / span)
            counts = [count for count in np.histogram(wanted, bins=30)[0] if count > 0]
            shown = [count for *_, count in bins]
            # A number on the edge of two bins may lie in either.
            assert sum(shown) == len(wanted), (tag, sum(shown), len(wanted))
            moved = max(2, 0.002 * len(wanted))
            assert len(shown) != len(counts) or np.abs(np.subtract(shown, counts)).sum() <= moved, (tag, shown, counts)
    # A difference of two 32-bit weights is a gradient times 0.1 to about 1e-8.
    assert worst < 1e-3, f"edges differ by {worst:.1e} of their span"
    return f"{len(known)} histograms, edges within {worst:.1e} of their span"


def judge_pictures(address, run):
    known = tags(address, "images")
    for tag in known:
        told = json.loads(ask(address, "images", "images", tag=tag, run="run", sample=0))
        with urllib.request.urlopen(f"{address}/data/plugin/images/individualImage?{told[0]['query']}") as answer:
            file = run / f"{tag.replace('/', '')}.jpg"
            assert answer.read() == file.read_bytes(), f"{tag} is not {file.name}"
    return f"{len(known)} pictures"


run = folder / "runs/run"
train(folder / "before", EPOCHS - 1)
train(run, EPOCHS)
server, address = start(folder / "runs")
try:
    said = [judge_numbers(address, run), judge_histograms(address, run, weights(folder / "before")), judge_pictures(address, run)]
finally:
    server.terminate()
    server.wait()
print(f"tensorboard {tensorboard.__version__}: {', '.join(said)}")
