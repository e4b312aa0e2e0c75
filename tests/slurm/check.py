"""Gives plans to a real Slurm on this machine alone, disturbs its tasks, and compares what comes out with one command's results.

Usage: python3 tests/slurm/check.py PROGRAM [DIRECTORY]

Needs Debian's slurmctld, slurmd, slurm-client and munge, and the rights of root; starts and stops them on the loopback interface
with settings and keys of its own. What other Slurm this machine may have is not touched.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SETTINGS = """ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=36817
SlurmdPort=36818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
MpiDefault=none
ReturnToService=2
KillWait=10
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue"]
FLAGS = ["--profile", "smoke", "--device", "cpu"]
BOARD = ["checkerboard", *FLAGS, "--models", "hannet,fcnet", "--recipe", "tuned", "--seeds", "2", "--iterations", "20000"]
LONG = ["checkerboard", *FLAGS, "--models", "hannet", "--recipe", "tuned", "--seeds", "1", "--iterations", "60000"]
LONG += ["--learning-rates", "0.01"]
ATTACK = ["mnist-attack", "--offline", *FLAGS, "--models", "hannet,fcnet", "--seeds", "1", "--n", "50", "--checklist", "20"]


class Cluster:
    """munge, slurmctld and slurmd, of this test alone."""

    def __init__(self, root):
        self.root, self.running = root, []
        host = socket.gethostname().split(".")[0]
        for name in ["state", "spool", "munge"]:
            (root / name).mkdir(parents=True)
        (root / "munge").chmod(0o700)
        key = root / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        (root / "slurm.conf").write_text(SETTINGS.format(root=root, host=host, cores=max(2, os.cpu_count() or 2)))
        os.environ["SLURM_CONF"] = str(root / "slurm.conf")

    def begin(self):
        root = self.root
        own = [f"--{name}={root}/munge/{name}" for name in ["socket", "pid-file", "log-file", "seed-file"]]
        self.start(["munged", "--foreground", "--force", f"--key-file={root}/munge/key", *own])
        time.sleep(1)
        self.start(["slurmctld", "-D", "-f", str(root / "slurm.conf")])
        self.start(["slurmd", "-D", "-f", str(root / "slurm.conf")])
        wait("the cluster", lambda: "idle" in answer(["sinfo", "-h", "-o", "%T"]), 60)

    def start(self, command):
        with open(self.root / f"{command[0]}.out", "wb") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self):
        subprocess.run(["scancel", "--user=root"], capture_output=True)
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def answer(command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def wait(what, is_so, seconds):
    until = time.time() + seconds
    while not is_so():
        if time.time() > until:
            raise SystemExit(f"{what}: not after {seconds} s\n{answer(['squeue'])}")
        time.sleep(0.2)


def queue(columns="%i %T"):
    return [line.split() for line in answer(["squeue", "-h", "-r", "-o", columns]).splitlines()]


def files(root):
    """All that does not hold times, by path."""
    found = {}
    for path in sorted([*root.glob("runs/*/*/[!.]*/*"), *root.glob("tables/*.csv")]):
        timed = path.name == "manifest.json" or path.name.endswith("-runs.csv")
        if not timed:
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


class Check:
    def __init__(self, program, root):
        self.program, self.root, self.good = str(program), root, True

    def run(self, arguments, out):
        ended = subprocess.run([self.program, *arguments, "--quiet", "--out", str(out)], capture_output=True, text=True)
        if ended.returncode != 0:
            raise SystemExit(f"{arguments}: {ended.stderr}")

    def submit(self, arguments, out, own):
        command = [self.program, "submit", *arguments, "--quiet", "--checkpoint-every", "1", "--out", str(out), *own]
        ended = subprocess.run(command, capture_output=True, text=True)
        print(ended.stderr.strip())
        if ended.returncode != 0:
            raise SystemExit(f"{command}: {ended.stderr}")

    def compare(self, name, arguments, out):
        alone = self.root / f"{name}-alone"
        self.run(arguments, alone)
        one, other = files(alone), files(out)
        differ = sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))
        print(f"{name}: {len(one)} files of runs and tables, {len(differ)} differ from one machine's")
        for path in differ[:10]:
            print(f"  {path}")
        if differ:
            self.good = False
            for log in sorted((out / "slurm").glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-1500:]}")

    def told(self, name, is_so):
        print(f"{name}: {'yes' if is_so else 'NO'}")
        self.good &= bool(is_so)


def restarts(job):
    """How often Slurm has started each task of an array again."""
    lines = answer(["scontrol", "show", "job", job]).split()
    return sum(int(word.split("=")[1]) for word in lines if word.startswith("Restarts="))


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        raise SystemExit(f"this test needs root and {', '.join(missing) or 'nothing more'}")
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="slurm-")).resolve()
    cluster = Cluster(root / "cluster")
    check = Check(program, root)
    try:
        cluster.begin()
        # An array of which a task is sent back to the queue half-way.
        out = root / "board"
        check.submit(BOARD, out, ["--tasks", "3", "--time", "10"])
        wait("a checkpoint", lambda: any(out.glob("runs/*/*/.checkpoints-*/*")), 300)
        task = next(job for job, state in queue() if state == "RUNNING")
        subprocess.run(["scontrol", "requeue", task], check=True)
        print(f"requeued {task}")
        wait("the array", lambda: not queue(), 900)
        check.told("a task was started again", restarts(task) >= 1)
        check.compare("board", BOARD, out)

        # A task that is out of time before it is done.
        out = root / "long"
        check.submit(LONG, out, ["--tasks", "1", "--time", "1", "--warning", "40"])
        job = min(job for job, _ in queue())
        wait("the long array", lambda: not queue(), 1500)
        check.told(f"it took {restarts(job) + 1} turns", restarts(job) >= 1)
        check.compare("long", LONG, out)

        # Two stages, of which the second needs what the first has made.
        out = root / "attack"
        check.submit(ATTACK, out, ["--tasks", "2", "--time", "30"])
        waiting = [reason for _, reason in queue("%i %r") if "Dependency" in reason]
        check.told("attacks wait for trainings", waiting)
        wait("both stages", lambda: not queue(), 1500)
        check.compare("attack", ATTACK, out)
    finally:
        cluster.stop()
    print("good" if check.good else "not good")
    return 0 if check.good else 1


if __name__ == "__main__":
    sys.exit(main())
