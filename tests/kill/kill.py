"""Kills runs at random moments (SIGKILL) and lets the same command go on, until each sort of run was killed often enough; then
compares every file with one of a command that nobody disturbed.

Usage: python3 tests/kill/kill.py PROGRAM [--kills 20] [--seed 1] [--every 0.5] [--only NAME,..] [--directory DIR]

Prints a line for each sort: kills, files compared, files that differ, and the most work that a kill has cost, as the time
from the last checkpoint (or the start of the process, where it has written none) to the kill.
"""

import argparse
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

# Runs of some seconds each. What they are trained on is inside the program.
COMMANDS = {
    "checkerboard": "checkerboard --profile smoke --models hannet,fcnet --recipe tuned --seeds 1 --iterations 30000 --learning-rates 0.01",
    "mnist-attack": "mnist-attack --offline --profile smoke --models hannet,fcnet --width 100 --depth 6 --seeds 1 --epochs 20"
    " --n 200 --steps 50 --queries 500 --checklist 50",
    "mixer": "mixer --offline --profile smoke --channels 64 --epochs 6 --seeds 1 --models mixer-4,mixer-4-han-12",
    "regression": "regression --offline --profile smoke --models hannet,fcnet,ridge --epochs 100 --seeds 1",
}
# Files that hold times.
TIMED = {"manifest.json"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two checkpoints")
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


def newest(results):
    """When the last checkpoint was written."""
    times = []
    for path in results.glob("runs/*/*/.checkpoints-*/*.safetensors"):
        try:
            times.append(path.stat().st_mtime)
        except FileNotFoundError:
            pass
    return max(times, default=0.0)


def check(name, line, options, root):
    program = [str(options.program.resolve()), *line.split(), "--device", "cpu", "--quiet"]
    whole, cut = root / name / "whole", root / name / "cut"
    begun = time.time()
    subprocess.run([*program, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
    undisturbed = time.time() - begun
    moments = random.Random(f"{options.seed} {name}")
    kills, lost = 0, 0.0
    # Half of the work is done when the last kill comes.
    longest = max(0.5, undisturbed / options.kills)
    command = [*program, "--out", str(cut), "--checkpoint-every", str(options.every)]
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
            lost = max(lost, now - max(started, newest(cut)))
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ended.returncode != 0:
        print(f"{name}: it failed after {kills} kills: {ended.stderr.strip()}")
        return False
    expected, found = files(whole), files(cut)
    differ = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    left = list(cut.glob("runs/*/*/.running-*")) + list(cut.glob("runs/*/*/.checkpoints-*"))
    print(
        f"{name}: {kills} kills of a command of {undisturbed:.1f} s, {len(expected)} files compared, {len(differ)} differ,"
        f" {len(left)} leftovers, at most {lost:.2f} s of work lost"
    )
    for path in differ[:5]:
        print(f"  {path}")
    return not differ and not left and kills == options.kills


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
