"""The file of `han-exp mnist-attack --export-adversarial`: its arrays, and the networks in it rebuilt in torch.

A network is torch's Sequential(layer, act, layer, act, .., head). A layer is dense, `<i>.weight` (out, in), or a
Han-layer, `<i>.vector` (width, 1), each with `<i>.bias`; act is |.| if there is a Han-layer and ReLU if there is none.

    images (n, 784), labels (n), settings/steps       of all; steps of PGD are 100 if not said
    settings/bits                                     of the networks' numbers under attack; 32 if not said. Images and
                                                      logits are in these numbers, weights in f32
    ARM/seedK/weights/NAME, ARM/seedK/logits (n, 10)  of a network; logits may be absent
    ARM/seedK/NORM/ATTACK/epsE/last                   the last iterates of an attack
    ARM/seedK/NORM/worst/epsE, ARM/seedK/NORM/nearest misclassified images, else the clean ones
    ARM/seedK/radii/pair, ARM/seedK/radii/rounded     certified radii in L2, (n) in f64
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

NORMS = ("linf", "l2")
# Slack of distances, absolute: an f32 image at x + 0.1 may measure 0.10000002 in f64.
TOLERANCE = 1e-6
# Slack of margins between logits: two programs add in another order.
MARGIN = 1e-4


class Han(nn.Module):
    """y = x - 2 (u.x) / (u.u) u + b, without the |.| that follows (Yu and Zhang 2024, Section 2)."""

    def __init__(self, vector, bias):
        super().__init__()
        self.register_buffer("vector", vector.reshape(-1))
        self.register_buffer("bias", bias)

    def forward(self, x):  # (images, width) -> same
        u = self.vector
        return x - 2 * (x @ u).unsqueeze(1) / (u @ u) * u + self.bias


class Abs(nn.Module):
    def forward(self, x):
        return x.abs()


def layers(weights):
    """[(vector or weight, bias)] in order, from {name: array}."""
    places = sorted({int(name.split(".")[0]) for name in weights})
    main = [weights.get(f"{place}.vector", weights.get(f"{place}.weight")) for place in places]
    return [(array, weights[f"{place}.bias"]) for array, place in zip(main, places)]


def is_han(array):
    return array.ndim == 1 or array.shape[1] == 1


def network(weights, dtype):
    """The network in numbers of that type, its parameters frozen."""
    chain = layers(weights)
    act = Abs if any(is_han(array) for array, _ in chain) else nn.ReLU
    modules = []
    for array, bias in chain:
        array, bias = torch.tensor(array), torch.tensor(bias)
        if is_han(array):
            modules.append(Han(array, bias))
        else:
            dense = nn.utils.skip_init(nn.Linear, array.shape[1], array.shape[0])
            dense.weight, dense.bias = nn.Parameter(array), nn.Parameter(bias)
            modules.append(dense)
        modules.append(act())
    return nn.Sequential(*modules[:-1]).to(dtype).eval().requires_grad_(False)


def logits_f64(weights, images):
    """Logits in f64 by numpy alone."""
    *hidden, (head, head_bias) = [(a.astype(np.float64), b.astype(np.float64)) for a, b in layers(weights)]
    with_han = any(is_han(array) for array, _ in hidden)
    h = images.astype(np.float64)
    for array, bias in hidden:
        u = array.reshape(-1)
        z = (h - 2 * np.outer(h @ u, u) / (u @ u) if is_han(array) else h @ array.T) + bias
        h = np.abs(z) if with_han else np.maximum(z, 0)
    return h @ head.T + head_bias


@dataclass
class Subject:
    """One trained network and what our attacks found. All images are (n, 784) in its numbers."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    steps: int  # of PGD
    dtype: torch.dtype  # of the network under attack, and of all images
    weights: dict = field(default_factory=dict)
    logits: np.ndarray | None = None  # of the images, where the file has them
    last: dict = field(default_factory=dict)  # (norm, eps, attack) -> last iterates
    worst: dict = field(default_factory=dict)  # (norm, eps) -> misclassified images in the ball
    nearest: dict = field(default_factory=dict)  # norm -> nearest misclassified images
    radii: dict = field(default_factory=dict)  # "pair", "rounded" -> certified radii in L2, f64
    theirs: dict = field(default_factory=dict)  # (norm, attack) -> distances that an outside attack found

    def ready(self):
        """Computes what all checks need, after the arrays are complete."""
        self.network = network(self.weights, self.dtype)
        self.clean_margin = self.margin(self.images)
        self.right = self.clean_margin > 0
        return self

    def margin(self, images):
        """z_y - max z_j by the torch network; 0 or below is misclassified."""
        with torch.no_grad():
            z = self.network(torch.tensor(images)).double().numpy()
        rows = np.arange(len(z))
        right = z[rows, self.labels]
        z[rows, self.labels] = -np.inf
        return right - z.max(1)

    def predictions(self, images):
        with torch.no_grad():
            return self.network(torch.tensor(images)).argmax(1).numpy()

    def moved(self, images):
        """Which images are not the clean ones."""
        return (images != self.images).any(1)

    def distance(self, norm, images):
        """In f64 on the pixels as they are."""
        change = np.abs(images.astype(np.float64) - self.images.astype(np.float64))
        return change.max(1) if norm == "linf" else np.sqrt((change**2).sum(1))

    def found(self, norm, images):
        """Distances of images that the torch network misclassifies, infinite for others; 0 where the clean one is."""
        distance = np.where(self.margin(images) <= 0, self.distance(norm, images), np.inf)
        return np.where(self.right, distance, 0)


def subjects(path, arm, seed, count, epsilons):
    """All networks of a file, or those of one arm or seed."""
    file = np.load(path)
    names = sorted({"/".join(key.split("/")[:2]) for key in file.files if "/seed" in key})
    chosen = [n for n in names if arm in (None, n.split("/")[0]) and seed in (None, int(n.split("/seed")[1]))]
    if not chosen:
        raise SystemExit(f"{path} has no network of arm {arm} and seed {seed}; it has {', '.join(names) or 'none'}")
    return (subject(file, name, count, epsilons) for name in chosen)


def subject(file, name, count, epsilons):
    """The arrays of one network, of the first `count` images."""
    steps = int(file["settings/steps"].item()) if "settings/steps" in file.files else 100
    labels = file["labels"][:count].astype(np.int64)
    bits = int(file["settings/bits"].item()) if "settings/bits" in file.files else 32
    dtype = {32: torch.float32, 64: torch.float64}[bits]
    result = Subject(name, file["images"][:count], labels, steps, dtype)
    for key in file.files:
        if not key.startswith(name + "/"):
            continue
        match key[len(name) + 1 :].split("/"):
            case ["weights", tensor]:
                result.weights[tensor] = file[key]
            case ["logits"]:
                result.logits = file[key][:count]
            case [norm, "worst", eps] if wanted(eps, epsilons):
                result.worst[norm, float(eps[3:])] = file[key][:count]
            case [norm, attack, eps, "last"] if wanted(eps, epsilons):
                result.last[norm, float(eps[3:]), attack] = file[key][:count]
            case [norm, "nearest"]:
                result.nearest[norm] = file[key][:count]
            case ["radii", column]:
                result.radii[column] = file[key][:count]
    return result.ready()


def wanted(eps, epsilons):
    return float(eps[3:]) > 0 and (not epsilons or float(eps[3:]) in epsilons)
