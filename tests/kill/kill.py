"""Kills runs at random moments (SIGKILL) and lets the same command go on, until each sort of run was killed often enough; then
compares every file with one of a command that nobody disturbed.

Usage: python3 tests/kill/kill.py PROGRAM [--kills 20] [--seed 1] [--every SECONDS] [--only NAME,..] [--directory DIR]

Prints a line for each sort: kills, files compared, files that differ, and the most work that a kill has cost, as the time
from the last checkpoint or finished run (or the start of the process, where there is neither) to the kill. More of it than
the time between two checkpoints is a failure. Once all runs are finished a kill costs tables and charts, which are drawn
from them again: that is told apart.
"""

import argparse
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

# Runs of some seconds each, on data that are inside the program or in its cache.
COMMANDS = {
    "checkerboard": "checkerboard --profile smoke --models hannet,fcnet --recipe tuned --seeds 1 --iterations 30000 --learning-rates 0.01",
    "mnist-attack": "mnist-attack --offline --profile smoke --models hannet,fcnet --width 100 --depth 6 --seeds 1 --epochs 40"
    " --n 300 --steps 50 --queries 500 --checklist 50",
    "mixer": "mixer --offline --profile smoke --channels 64 --epochs 80 --seeds 1 --models mixer-4,mixer-4-han-12",
    "regression": "regression --offline --profile smoke --models hannet,fcnet,ridge --epochs 400 --seeds 1",
}
# Seconds between two checkpoints. An attack can be kept between blocks of 128 images, which take up to a second or two;
# reading CIFAR-10 takes up to a second.
EVERY = {"mnist-attack": 4.0, "mixer": 2.0}
USUALLY = 0.5
# Files that hold times.
TIMED = {"manifest.json"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, help="seconds between two checkpoints, whatever is run")
    parser.add_argument("--only", default=",".join(COMMANDS))
    parser.add_argument("--directory", type=pathlib.Path)
    return parser.parse_args()


def files(results):
    """Every file of the finished runs, by its path."""
    runs = results / "runs"
    found = {}
    for path in sorted(runs.glob("*/*/[!.]*/*")):
        if path.name not in TIMED:
            found[str(path.relative_to(runs))] = path.read_bytes()
    return found


def newest(results, pattern):
    """When the last of some files was written; 0 for none."""
    times = [0.0]
    for path in results.glob(f"runs/*/*/{pattern}"):
        try:
            times.append(path.stat().st_mtime)
        except FileNotFoundError:
            pass
    return max(times)


def check(name, line, options, root):
    program = [str(options.program.resolve()), *line.split(), "--device", "cpu", "--quiet"]
    whole, cut = root / name / "whole", root / name / "cut"
    begun = time.time()
    subprocess.run([*program, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
    undisturbed = time.time() - begun
    moments = random.Random(f"{options.seed} {name}")
    kills, lost, undrawn = 0, 0.0, 0.0
    every = options.every or EVERY.get(name, USUALLY)
    # Some kills come before the first checkpoint, and half of the work is done when the last one comes.
    longest = max(2 * every, undisturbed / options.kills)
    command = [*program, "--out", str(cut), "--checkpoint-every", str(every)]
    runs = len(list(whole.glob("runs/*/*/[!.]*/manifest.json")))
    while kills < options.kills:
        started = time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.wait(moments.uniform(0.05, longest))
            break
        except subprocess.TimeoutExpired:
            now = time.time()
            process.kill()
            process.wait()
            kills += 1
            finished = newest(cut, "[!.]*/manifest.json")
            since = now - max(started, finished, newest(cut, ".checkpoints-*/*.safetensors"))
            if len(list(cut.glob("runs/*/*/[!.]*/manifest.json"))) < runs:
                lost = max(lost, since)
            else:
                undrawn = max(undrawn, since)
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ended.returncode != 0:
        print(f"{name}: it failed after {kills} kills: {ended.stderr.strip()}")
        return False
    expected, found = files(whole), files(cut)
    differ = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    left = list(cut.glob("runs/*/*/.running-*")) + list(cut.glob("runs/*/*/.checkpoints-*"))
    print(
        f"{name}: {kills} kills of a command of {undisturbed:.1f} s, {len(expected)} files compared, {len(differ)} differ,"
        f" {len(left)} leftovers, at most {lost:.2f} s of work lost with a checkpoint every {every:g} s,"
        f" {undrawn:.2f} s of drawing"
    )
    for path in differ[:5]:
        print(f"  {path}")
    return not differ and not left and kills == options.kills and lost <= every


def main():
    options = arguments()
    root = options.directory or pathlib.Path(tempfile.mkdtemp(prefix="kill-"))
    good = [check(name, COMMANDS[name], options, root) for name in options.only.split(",")]
    if options.directory is None:
        shutil.rmtree(root)
    print(f"{sum(good)} of {len(good)} good")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
