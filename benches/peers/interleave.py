#!/usr/bin/env python3
"""Runs the commands of a JSON file in turn (A B C A B C ...) over some workloads and prints medians. See README.md.

A command is a list of words with {workload}, {budget} and {data} in it; words like NAME=value before the program set the environment."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

COLUMNS = ["images_per_s", "gflops", "test_accuracy", "step_ms_median", "cpu_ms_per_step", "peak_rss_mb", "init_s", "first_step_s"]


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", help="JSON file: name to command")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--workloads", default="w1,w2,w3,w4-matmul,w4-conv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=8)
    parser.add_argument("--limit", type=float, default=300, help="seconds before a run is stopped")
    parser.add_argument("--wait", type=float, default=60, help="seconds to wait for idle cores before each run")
    parser.add_argument("--data", default="mnist5k.bin")
    parser.add_argument("--log", default="runs.jsonl")
    return parser.parse_args()


def machine_busy_s():
    """CPU seconds that all programs used since the machine started (Linux)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, open("/proc/stat").readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_cpu_s():
    times = os.times()
    return times.children_user + times.children_system


def wait_for_idle_cores(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = machine_busy_s()
        time.sleep(1)
        if machine_busy_s() - before < 0.1 * os.cpu_count():
            return


def run(command, limit):
    """The program's line of JSON, or what went wrong, with the share of all cores that others used meanwhile."""
    words = list(command)
    environment = dict(os.environ)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, value = words.pop(0).split("=", 1)
        environment[name] = value
    start, busy, own = time.monotonic(), machine_busy_s(), children_cpu_s()
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=limit)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        row = json.loads(lines[-1]) if lines else {"failed": f"exit {done.returncode}: {done.stderr[-300:]}"}
    except subprocess.TimeoutExpired:
        row = {"failed": f"stopped after {limit:g} s"}
    others = (machine_busy_s() - busy) - (children_cpu_s() - own)
    row["other_cpu"] = round(max(0, others) / (time.monotonic() - start) / os.cpu_count(), 3)
    return row


def table(rows, workload, names):
    print(f"\n{workload}\n{'peer':<16}" + "".join(f"{column:>17}" for column in COLUMNS) + f"{'other_cpu':>11}  losses")
    for name in names:
        mine = [row for row in rows if (row["workload"], row["name"]) == (workload, name)]
        good = [row for row in mine if "failed" not in row]
        if not good:
            print(f"{name:<16} {mine[-1]['failed'] if mine else 'not run'}")
            continue
        median = lambda column: statistics.median(row[column] for row in good)
        cells = [f"{median(column):17.3f}" if column in good[0] else " " * 17 for column in COLUMNS]
        print(f"{name:<16}" + "".join(cells) + f"{median('other_cpu'):11.3f}  {good[0].get('losses', '')}")


def main():
    given = options()
    peers = json.load(open(given.peers))
    names = given.only.split(",") if given.only else list(peers)
    rows = []
    for round_number in range(given.rounds):
        for workload in given.workloads.split(","):
            for name in names:
                wait_for_idle_cores(given.wait)
                fill = {"workload": workload, "budget": given.budget, "data": given.data}
                row = run([word.format(**fill) for word in peers[name]], given.limit)
                row.update(name=name, round=round_number, workload=workload)
                rows.append(row)
                with open(given.log, "a") as log:
                    log.write(json.dumps(row) + "\n")
                print(f"{workload} {name}: {row.get('step_ms_median', row.get('failed', ''))}", file=sys.stderr, flush=True)
    for workload in given.workloads.split(","):
        table(rows, workload, names)


main()
