"""Attacks of Foolbox, torchattacks and AutoAttack on a subject: each returns (n, 784) images, in the subject's
numbers.

Settings are those that make them equal to ours. None starts at random unless said so.
"""

import copy
import logging

import foolbox
import numpy as np
import torch
import torchattacks
from autoattack import AutoAttack
from autoattack.fab_pt import FABAttack_PT
from foolbox import attacks as fa
from torch import nn

logging.getLogger().setLevel(logging.ERROR)  # Foolbox warns of every failure of a search


class Exact(nn.Module):
    """Logits in f64, with their gradient scaled to 1 at its largest entry, image by image.

    The direction of an image's gradient stays. In f32 the cross-entropy of a confident image loses it: 1 - p rounds to
    0 below 6e-8, torchattacks divides the loss by the number of images, and its PGDL2 adds 1e-10 to the gradient's
    length. For attacks on the cross-entropy alone: others compare the lengths of gradients.
    """

    def __init__(self, network, dtype):
        super().__init__()
        self.network = copy.deepcopy(network).to(dtype)
        self.dtype = dtype

    def forward(self, x):
        z = self.network(x.flatten(1).to(self.dtype)).double()
        if z.requires_grad:
            z.register_hook(lambda c: c / c.abs().amax(1, keepdim=True).clamp_min(1e-300))
        return z


class Square28(nn.Module):
    """The network for (n, 1, 28, 28) in f32, the only numbers that AutoAttack can."""

    def __init__(self, network):
        super().__init__()
        self.network = copy.deepcopy(network).float()

    def forward(self, x):
        return self.network(x.flatten(1))


def tensors(subject, which=None):
    """Images and labels for torch."""
    which = slice(None) if which is None else which
    return torch.tensor(subject.images[which]), torch.tensor(subject.labels[which])


def step(subject, attack, eps):
    """Length and number of steps of our FGSM and PGD: PGD's path is 2.5 eps (Madry et al. 2018)."""
    return (eps, 1) if attack == "fgsm" else (2.5 * eps / subject.steps, subject.steps)


def by_foolbox(subject, norm, attack, eps, dtype=None):
    """FGSM or PGD, the last iterate. The network computes in numbers of that type, by default in those of the images."""
    length, steps = step(subject, attack, eps)
    settings = dict(abs_stepsize=length, steps=steps, random_start=False)
    attacks = {
        ("linf", "fgsm"): lambda: fa.LinfFastGradientAttack(),
        ("l2", "fgsm"): lambda: fa.L2FastGradientAttack(),
        ("linf", "pgd"): lambda: fa.LinfProjectedGradientDescentAttack(**settings),
        ("l2", "pgd"): lambda: fa.L2ProjectedGradientDescentAttack(**settings),
    }
    model = foolbox.PyTorchModel(Exact(subject.network, dtype or subject.dtype).eval(), bounds=(0, 1), device="cpu")
    _, images, _ = attacks[norm, attack]()(model, *tensors(subject), epsilons=eps)
    return images.numpy()


def by_torchattacks(subject, norm, attack, eps):
    """FGSM or PGD, the last iterate. FGSM in L2 is its PGDL2 of one step."""
    length, steps = step(subject, attack, eps)
    settings = dict(eps=eps, alpha=length, steps=steps, random_start=False)
    model = Exact(subject.network, subject.dtype).eval()
    if norm == "l2":
        made = torchattacks.PGDL2(model, **settings, eps_for_division=1e-30)
    else:
        made = torchattacks.FGSM(model, eps=eps) if attack == "fgsm" else torchattacks.PGD(model, **settings)
    images, labels = tensors(subject)
    return made(images.reshape(-1, 1, 28, 28), labels).flatten(1).numpy()


def by_autoattack(subject, norm, eps):
    """The standard cascade of the authors' code (Croce and Hein 2020)."""
    norm = {"linf": "Linf", "l2": "L2"}[norm]
    cascade = AutoAttack(Square28(subject.network), norm=norm, eps=eps, seed=0, verbose=False, device="cpu")
    images, labels = tensors(subject)
    found = cascade.run_standard_evaluation(images.float().reshape(-1, 1, 28, 28), labels, bs=500)
    return found.flatten(1).to(subject.dtype).numpy()


MINIMUM = {
    "linf": {"deepfool": lambda: fa.LinfDeepFoolAttack(), "fmn": lambda: fa.LInfFMNAttack(steps=100)},
    # Not L2FMNAttack: its projection changes nothing. Not torchattacks' CW: it freezes pixels that are 0 or 1.
    "l2": {
        "deepfool": lambda: fa.L2DeepFoolAttack(),
        "ddn": lambda: fa.DDNAttack(init_epsilon=1.0, steps=100),
        "cw": lambda: fa.L2CarliniWagnerAttack(binary_search_steps=6, steps=200, stepsize=0.05, initial_const=0.1),
    },
}


def minimum(subject, norm, attack):
    """Nearest images of an attack on those that are classified right; others stay."""
    result = subject.images.copy()
    which = np.flatnonzero(subject.right)
    images, labels = tensors(subject, which)
    if attack == "fab":
        result[which] = fab(subject, norm, images, labels)
    else:
        model = foolbox.PyTorchModel(subject.network, bounds=(0, 1), device="cpu")
        _, found, _ = MINIMUM[norm][attack]()(model, images, labels, epsilons=None)
        result[which] = found.numpy()
    return result


def fab(subject, norm, images, labels):
    """AutoAttack's FAB-T on all nine classes; the nearest. Its own loop leaves an image once it is broken."""
    attack = FABAttack_PT(Square28(subject.network), norm={"linf": "Linf", "l2": "L2"}[norm], n_iter=100, device="cpu")
    square = images.float().reshape(-1, 1, 28, 28)
    best, nearest = images.clone(), torch.full((len(images),), torch.inf, dtype=images.dtype)
    for attack.target_class in range(2, 11):
        found = attack.attack_single_run(square, labels, is_targeted=True).flatten(1).to(subject.dtype)
        change = (found - images).abs()
        distance = change.amax(1) if norm == "linf" else change.norm(dim=1)
        nearer = (subject.network(found).argmax(1) != labels) & (distance < nearest)
        best[nearer], nearest[nearer] = found[nearer], distance[nearer]
    return best.numpy()


def noise(subject, eps, draws):
    """Uniform noise, the first misclassified of some draws. Foolbox scales by the largest entry, not by the largest
    magnitude, so that some pixels leave the ball a little; they are put back."""
    model = foolbox.PyTorchModel(subject.network, bounds=(0, 1), device="cpu")
    attack = fa.LinfRepeatedAdditiveUniformNoiseAttack(repeats=draws)
    _, found, _ = attack(model, *tensors(subject), epsilons=eps)
    return np.clip(found.numpy(), subject.images - eps, subject.images + eps).clip(0, 1)


def inside(subject, radii, restarts, steps=40):
    """PGD in L2 on the margin in a ball of its own for each image, from random points: the images that are
    misclassified, else the last iterates. Libraries take one eps for all images, so this one is written out."""
    x0, labels = tensors(subject)
    eps = torch.tensor(radii, dtype=subject.dtype).unsqueeze(1)
    best, broken = x0.clone(), torch.zeros(len(x0), dtype=torch.bool)
    chosen = nn.functional.one_hot(labels, subject.network[-1].out_features).bool()
    for _ in range(restarts):
        start = torch.randn_like(x0)
        x = (x0 + eps * start / start.norm(dim=1, keepdim=True)).clamp(0, 1)
        for number in range(steps + 1):
            x.requires_grad_(True)
            z = subject.network(x)
            margin = z[chosen] - z.masked_fill(chosen, -torch.inf).amax(1)
            fresh = (margin.detach() <= 0) & ~broken
            best[fresh], broken = x.detach()[fresh], broken | fresh
            if number == steps:
                break
            (g,) = torch.autograd.grad(margin.sum(), x)
            d = x.detach() - 2.5 / steps * eps * g / g.norm(dim=1, keepdim=True).clamp_min(1e-12) - x0
            x = (x0 + d * (eps / d.norm(dim=1, keepdim=True).clamp_min(1e-30)).clamp_max(1)).clamp(0, 1)
    best[~broken] = x.detach()[~broken]
    return best.numpy()
