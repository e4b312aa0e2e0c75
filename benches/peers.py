"""Times of one training step in this program, in PyTorch and, where it can be imported, in JAX: `make bench-peers`.

    python3 benches/peers.py OUT.csv [--rounds 3] [--only hannet,mixer]
    python3 benches/peers.py --cuda [OUT.csv]       # on a GPU, without JAX: part of `make test-cuda`

The programs are timed in turns, a process each, on as many cores as a network gets threads. A row is the median of a program for a
network in a round; data are random, since only the time counts.
"""

import argparse
import csv
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parent.parent
MISSING = """PyTorch is missing; make an environment that has it, and name its interpreter:
    python3 -m venv target/peers && target/peers/bin/pip install torch numpy jax
    make bench-peers PYTHON=target/peers/bin/python"""
# Name: batch, threads, parameters, and the name in benches/.
NETWORKS = {
    "hannet-20x30": (100, 1, 3_032, "training step, batch 100/hannet 20x30, sgd"),
    "fcnet-6x100": (100, 1, 51_002, "training step, batch 100/fcnet 6x100, sgd"),
    "resnet-10x100": (100, 1, 206_702, "training step, batch 100/resnet 10x100, sgd"),
    "mixer-4": (64, 2, 1_021_962, "mixer step, batch 64/channels 256, 4 + 0"),
    "mixer-4-han-12": (64, 2, 1_037_322, "mixer step, batch 64/channels 256, 4 + 12"),
    "mixer-8": (64, 2, 1_585_674, "mixer step, batch 64/channels 256, 8 + 0"),
    "mixer-4-at-64": (64, 2, 97_290, "mixer step, batch 64/channels 64, 4 + 0"),
    "mixer-4-han-12-at-64": (64, 2, 103_434, "mixer step, batch 64/channels 64, 4 + 12"),
    "mixer-8-at-64": (64, 2, 164_874, "mixer step, batch 64/channels 64, 8 + 0"),
}
SECONDS = 3.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    parser.add_argument("--cuda", action="store_true", help="on a GPU; PyTorch is left out where it has none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="networks whose names begin so")
    arguments = parser.parse_args()
    wanted = [name for name in NETWORKS if name.startswith(tuple(arguments.only.split(",")))]
    if arguments.cuda:
        return on_gpu(wanted, arguments.out)
    if arguments.out is None:
        parser.error("say where the times go: OUT.csv")
    peers = [peer for peer in ("torch", "jax") if importable(peer)]
    if "torch" not in peers:
        sys.exit(MISSING)
    if "jax" not in peers:
        print("JAX is missing: its rows are left out", file=sys.stderr)
    rows = []
    for turn in range(1, arguments.rounds + 1):
        for name in wanted:
            batch, threads, _, _ = NETWORKS[name]
            for time_it in [own, *[peer_process(peer) for peer in peers]]:
                for program, version, milliseconds in time_it(name, threads):
                    rows.append([name, batch, threads, program, version, processor(), turn, f"{milliseconds:.4g}"])
                    print(f"round {turn}  {name:15} {program:10} {milliseconds:9.3f} ms", flush=True)
    write(arguments.out, rows)


def write(out, rows):
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow("network,batch,threads,program,version,processor,round,milliseconds".split(","))
        writer.writerows(rows)


def on_gpu(wanted, out):
    """Medians on a GPU: those of benches/cuda_step.rs, and beside them PyTorch's on the same one."""
    bench = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--quiet", "--features", "cuda", "--bench", "cuda_step"]
    told = subprocess.run(bench, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    ours = dict(line.split() for line in told.splitlines())
    has_torch = importable("torch") and not subprocess.run(
        [sys.executable, "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"]
    ).returncode
    if not has_torch:
        print("PyTorch with CUDA is missing: its times are left out", file=sys.stderr)
    rows = []
    for name in (name for name in wanted if name in ours):
        times = [("han-exp", version(), ours[name])]
        if has_torch:
            call = f"import sys; sys.path.insert(0, 'benches'); import peers; peers.torch_times({name!r}, None, 'cuda')"
            told = subprocess.run([sys.executable, "-c", call], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
            times.append(told.stdout.split())
        for program, release, milliseconds in times:
            rows.append([name, NETWORKS[name][0], "", program, release, 1, f"{float(milliseconds):.4g}"])
            print(f"{name:15} {program:10} {float(milliseconds):9.3f} ms  ({release})", flush=True)
    if out is not None:
        card = gpu()
        write(out, [[*row[:5], card, *row[5:]] for row in rows])


def gpu():
    """Its name, as the driver gives it."""
    call = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0].strip()


def importable(module):
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


def processor():
    """Name, family and model, as the system gives them: the name alone may stand for several generations."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    family, model = (fields.get(key, "?") for key in ("cpu family", "model"))
    return f"{fields.get('model name', platform.machine())} (family {family} model {model})"


def limited(threads):
    """The environment and the cores of a process with so many threads."""
    count = {name: str(threads) for name in ("RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "OMP_NUM_THREADS")}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    return {"env": os.environ | count, "preexec_fn": lambda: os.sched_setaffinity(0, cores), "cwd": ROOT}


def own(name, threads):
    """What criterion measures in benches/, which is built before the clock runs."""
    full_name = NETWORKS[name][3]
    bench = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--quiet", "--bench", "mixer_step" if "mixer" in name else "training_step"]
    subprocess.run([*bench, "--no-run"], cwd=ROOT, check=True)
    timing = ["--noplot", "--warm-up-time", "1", "--measurement-time", f"{SECONDS}", "--exact", full_name]
    subprocess.run([*bench, "--", *timing], check=True, stdout=subprocess.DEVNULL, **limited(threads))
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for about in target.glob("criterion/*/*/new/benchmark.json"):
        if json.loads(about.read_text())["full_id"] == full_name:
            estimates = json.loads((about.parent / "estimates.json").read_text())
            return [("han-exp", version(), estimates["median"]["point_estimate"] / 1e6)]
    sys.exit(f"criterion left no estimates of {full_name!r} in {target}")


def version():
    line = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("version"))
    return line.split('"')[1]


def peer_process(peer):
    """Times a network in a process of its own."""

    def run(name, threads):
        call = f"import sys; sys.path.insert(0, 'benches'); import peers; peers.{peer}_times({name!r}, {threads})"
        told = subprocess.run(
            [sys.executable, "-c", call], check=True, capture_output=True, text=True, **limited(threads)
        )
        return [(p, v, float(t)) for p, v, t in (line.split() for line in told.stdout.splitlines())]

    return run


def median_ms(step, steps_a_call=1):
    """Median over calls within the time, after a third of it for warming up."""
    end, times = time.perf_counter() + SECONDS / 3, []
    while time.perf_counter() < end:
        step()
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start) / steps_a_call)
    return statistics.median(times)


def torch_times(name, threads, device="cpu"):
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, inputs, targets, loss, optimizer = torch_task(torch, name)
    model, inputs, targets = model.to(device), inputs.to(device), targets.to(device)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters == NETWORKS[name][2], f"{name} has {parameters} parameters"

    def step():
        optimizer.zero_grad()
        loss(model(inputs), targets).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    print("pytorch", torch.__version__, median_ms(step))


def torch_task(torch, name):
    """Model, batch, loss and optimizer as in benches/."""
    nn = torch.nn
    batch = NETWORKS[name][0]

    class Han(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.u, self.b = nn.Parameter(torch.randn(width)), nn.Parameter(torch.zeros(width))

        def forward(self, x):
            v = self.u / self.u.norm()
            return torch.addcmul(x + self.b, (x @ v)[..., None], v, value=-2).abs()

    class Abs(nn.Module):
        def forward(self, x):
            return x.abs()

    class Added(nn.Module):
        """x + body(x), where asked along the axis before the last, and act of it."""

        def __init__(self, body, turned=False, skip=True, act=None):
            super().__init__()
            self.body, self.turned, self.skip, self.act = body, turned, skip, act or nn.Identity()

        def forward(self, x):
            h = self.body(x.transpose(1, 2)).transpose(1, 2) if self.turned else self.body(x)
            return self.act(x + h if self.skip else h)

    class Norm(nn.LayerNorm):
        """Of the axis before the last."""

        def forward(self, x):
            return super().forward(x.transpose(1, 2)).transpose(1, 2)

    class Tokens(nn.Module):
        def forward(self, x):
            return x.flatten(2).transpose(1, 2)

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean(1)

    def mixer(mixers, hans, channels=256, tokens=64):
        mlp = lambda width: [nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)]
        conv = lambda i, o, stride: [nn.Conv2d(i, o, 3, stride, 1), nn.BatchNorm2d(o), nn.ReLU()]
        widths = [3, channels // 8, channels // 4, channels // 2, channels]
        layers = [layer for i, stride in enumerate((1, 2, 1, 2)) for layer in conv(widths[i], widths[i + 1], stride)]
        layers += [nn.Conv2d(channels, channels, 1), Tokens()]
        for _ in range(mixers):
            layers.append(Added(nn.Sequential(Norm(channels), *mlp(tokens)), turned=True))
            layers.append(Added(nn.Sequential(nn.LayerNorm(channels), *mlp(channels))))
        for _ in range(hans):
            layers.append(Added(nn.Sequential(Han(tokens), Han(tokens)), turned=True, skip=False))
            layers += [Han(channels), Han(channels)]
        return nn.Sequential(*layers, nn.LayerNorm(channels), Mean(), nn.Linear(channels, 10))

    def residual(width):
        half = lambda: [nn.Linear(width, width), nn.BatchNorm1d(width)]
        return Added(nn.Sequential(*half(), nn.ReLU(), *half()), act=nn.ReLU())

    dense = lambda inputs, outputs, act: [nn.Linear(inputs, outputs), act()]
    if name.startswith("mixer"):
        name, _, channels = name.partition("-at-")
        blocks = {"mixer-4": (4, 0), "mixer-4-han-12": (4, 12), "mixer-8": (8, 0)}[name]
        model = mixer(*blocks, int(channels or 256))
        batch = torch.randn(batch, 3, 32, 32), torch.randint(10, (batch,))
        return model, *batch, nn.CrossEntropyLoss(), torch.optim.AdamW(model.parameters(), 1e-4, weight_decay=0.1)
    layers = {
        "hannet-20x30": lambda: dense(2, 30, Abs) + dense(30, 30, Abs) + [Han(30) for _ in range(17)]
        + dense(30, 30, Abs) + [nn.Linear(30, 2)],
        "fcnet-6x100": lambda: dense(2, 100, nn.ReLU) + 5 * [None] + [nn.Linear(100, 2)],
        "resnet-10x100": lambda: [nn.Linear(2, 100), nn.BatchNorm1d(100), nn.ReLU()]
        + [residual(100) for _ in range(10)] + [nn.Linear(100, 2)],
    }[name]()
    layers = [layer or nn.Sequential(*dense(100, 100, nn.ReLU)) for layer in layers]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), 1e-4, momentum=0.9)
    return model, torch.rand(batch, 2), torch.rand(batch, 2), nn.MSELoss(), optimizer


def jax_times(name, threads):
    """HanNet alone, compiled: a call for every step, and a thousand steps in one call."""
    if name != "hannet-20x30":
        return
    import jax
    import jax.numpy as jnp

    width, batch, steps = 30, NETWORKS[name][0], 1000
    keys = iter(jax.random.split(jax.random.key(0), 32))
    dense = lambda inputs, outputs: (jax.random.normal(next(keys), (inputs, outputs)) / inputs**0.5, jnp.zeros(outputs))
    weights = {
        "before": [dense(2, width), dense(width, width)],
        "han": (jax.random.normal(next(keys), (17, width)), jnp.zeros((17, width))),
        "after": dense(width, width),
        "head": dense(width, 2),
    }
    assert sum(leaf.size for leaf in jax.tree.leaves(weights)) == NETWORKS[name][2]

    def han(x, layer):
        u, b = layer
        v = u / jnp.linalg.norm(u)
        return jnp.abs(x - 2 * (x @ v)[:, None] * v + b), None

    def loss(weights, x, y):
        affine = lambda x, layer: x @ layer[0] + layer[1]
        for layer in weights["before"]:
            x = jnp.abs(affine(x, layer))
        x, _ = jax.lax.scan(han, x, weights["han"])
        x = jnp.abs(affine(x, weights["after"]))
        return jnp.mean((affine(x, weights["head"]) - y) ** 2)

    def step(state, data):
        weights, momentum = state
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, jax.grad(loss)(weights, *data))
        return (jax.tree.map(lambda w, m: w - 1e-4 * m, weights, momentum), momentum), None

    state = weights, jax.tree.map(jnp.zeros_like, weights)
    data = tuple(jax.random.uniform(next(keys), (steps, batch, 2)) for _ in range(2))
    one, first = jax.jit(step), tuple(part[0] for part in data)
    loop = jax.jit(lambda state, data: jax.lax.scan(step, state, data)[0])
    print("jax-call", jax.__version__, median_ms(lambda: jax.block_until_ready(one(state, first))))
    print("jax-loop", jax.__version__, median_ms(lambda: jax.block_until_ready(loop(state, data)), steps))


if __name__ == "__main__":
    main()
