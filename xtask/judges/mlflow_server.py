"""Has a run told to the real MLflow server: python mlflow_server.py PROGRAM DIGITS FOLDER

The server keeps what it hears in FOLDER; what its own client then reads must be what results.csv and args.toml say."""

import csv
import os
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import mlflow
from mlflow.tracking import MlflowClient

program, digits, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
EPOCHS = 3


def start():
    """The server, its address, and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "server.log").open("w")
    places = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--default-artifact-root", folder / "artifacts"]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *places]
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    address, until = f"http://127.0.0.1:{port}", time.time() + 120
    while time.time() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health") as answer:
                assert answer.status == 200
            return server, address
        except OSError:
            time.sleep(0.5)
    stop(server)
    sys.exit(f"the server does not start: {(folder / 'server.log').read_text()[-2000:]}")


def stop(server):
    """Ends the server with the workers that it started."""
    if server.poll() is None:
        os.killpg(server.pid, 15)
    server.wait()


def train(address, name, *more, code=0):
    command = [program, "train", digits, "--model", "mlp", "--limit", "512", "--batch-size", "64", "--device", "cpu", "--epochs", str(EPOCHS)]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": address, "MLFLOW_EXPERIMENT_NAME": "judged"}
    done = subprocess.run([*command, "--out", folder / name, *more], env=environment, capture_output=True, text=True)
    assert done.returncode == code and "MLflow" not in done.stderr, (done.returncode, done.stderr)


def judge(address):
    client = MlflowClient(tracking_uri=address)
    experiment = client.get_experiment_by_name("judged")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {"whole": "FINISHED", "broken": "KILLED"}, runs
    run = runs["whole"]
    settings = tomllib.loads((folder / "whole/args.toml").read_text())
    for name in ("epochs", "batch_size", "lr", "seed", "optimizer"):
        assert run.data.params[name] == str(settings[name]), (name, run.data.params[name], settings[name])
    rows = list(csv.DictReader((folder / "whole/results.csv").read_text().splitlines()))
    columns = {"train/loss": "train/loss", "val/loss": "val/loss", "val/accuracy": "metrics/accuracy_top1", "lr/pg0": "lr/pg0"}
    for key, column in columns.items():
        told = sorted(client.get_metric_history(run.info.run_id, key), key=lambda metric: metric.step)
        assert [metric.step for metric in told] == list(range(1, EPOCHS + 1)), told
        assert all(abs(metric.value - float(row[column])) < 1e-9 for metric, row in zip(told, rows, strict=True)), (key, told)
    assert 0 < run.info.end_time - run.info.start_time < 600_000
    return f"{len(run.data.params)} settings, {len(run.data.metrics)} measures in {EPOCHS} epochs, a run that ended and one that was broken off"


server, address = start()
try:
    train(address, "whole")
    train(address, "broken", "--interrupt-after", "10", code=130)
    print(f"mlflow {mlflow.__version__}: {judge(address)}")
finally:
    stop(server)
