"""Holds exported attacks and certificates against Foolbox, torchattacks and the authors' AutoAttack.

Run: python cross_check.py FILE.npz [--arm hannet] [--seed 0] [--n 1000] [--eps 0.1,0.2]
         [--checks logits,pixels,box,autoattack,minimum,certificate,noise] [--spoil NAME]

Prints a line for each check and ends with 1 if one fails. --spoil damages the arrays after they were read: a check
that still passes is blind. README.md says how to install what it needs.
"""

import argparse
import sys
import time
from collections import defaultdict

import numpy as np
import torch

import peers
from export import MARGIN, NORMS, TOLERANCE, is_han, layers, logits_f64, subjects

# Share of pixels that may differ, and when they do. Steps in L2 pass rounding on, steps of signs do not.
PIXELS = 1e-4
CLOSE = {"linf": 1e-6, "l2": 1e-3}
# The same where everything is in f64, networks and images.
CLOSE_F64 = 1e-6
# An image took another path if that share of its pixels differ. That share of images may, or this many times those of
# theirs that do with another rounding.
PATH, OTHER_PATHS, ROUNDINGS = 0.01, 0.02, 3
# Share of equal predictions.
PREDICTIONS = 0.998
# Largest difference of robust accuracies, and share of images that theirs alone breaks.
POINTS = 0.005 + 1e-9
# A distance that much shorter than ours counts, and this share of images may have one.
SHORTER = 0.02
# Relative, of a certified radius below the exact one.
RADIUS = 1e-6


class Table:
    """Lines as they come, and whether any failed."""

    def __init__(self):
        self.failed = self.rows = 0
        self.line("check", "what", "ours", "theirs", "figure", "threshold", "verdict", "s")
        self.start = time.monotonic()

    def line(self, *cells):
        widths = (11, 46, 10, 10, 12, 14, 7, 6)
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths)).rstrip(), flush=True)

    def row(self, check, what, figure, *, most=None, least=None, ours="", theirs=""):
        """A figure that is to be at most or at least something. NaN fails."""
        passed = figure <= most if least is None else figure >= least
        self.failed += not passed
        self.rows += 1
        threshold = f"<= {most:g}" if least is None else f">= {least:g}"
        text = lambda v: v if isinstance(v, str) else f"{v:.4g}"
        took, self.start = time.monotonic() - self.start, time.monotonic()
        verdict = "PASS" if passed else "FAIL"
        self.line(check, what, text(ours), text(theirs), f"{figure:.6g}", threshold, verdict, f"{took:.1f}")


def check_logits(subject, table):
    """The rebuilt network is the exported one: logits of clean images, which a file need not have."""
    if subject.logits is None:
        return table.row("logits", "not in the file", 0, most=0)
    with torch.no_grad():
        theirs = subject.network(torch.tensor(subject.images)).numpy()
    table.row("logits", "largest difference", float(np.abs(theirs - subject.logits).max()), most=1e-4)
    other = (theirs.argmax(1) != subject.logits.argmax(1)) & (np.abs(subject.clean_margin) > MARGIN)
    table.row("logits", "other predictions", int(other.sum()), most=0)


def check_pixels(subject, table):
    """FGSM and PGD pixel by pixel, on images that are classified right without doubt; ours attacks no others.

    Rounding decides the sign of a gradient near 0, and the kinks of |.| multiply that over many steps: a few images
    take another path. The yardstick is how many do in Foolbox when the network is in f64. With an export of
    --precision f64 both sides compute in f64, images and networks, and all images have to be equal.
    """
    exact = subject.dtype == torch.float64
    sure = subject.clean_margin > MARGIN
    labels = subject.labels[sure]
    for (norm, eps, attack), ours in sorted(subject.last.items()):
        if attack not in ("fgsm", "pgd"):
            continue
        close = CLOSE_F64 if exact else CLOSE[norm]
        apart = lambda a, b: (np.abs(a[sure].astype(np.float64) - b[sure]) > close).mean(1)
        by_foolbox = peers.by_foolbox(subject, norm, attack, eps)
        if not exact:
            rounding = apart(by_foolbox, peers.by_foolbox(subject, norm, attack, eps, torch.float64)) > PATH
            most = max(OTHER_PATHS, ROUNDINGS * float(rounding.mean()))
        made = {"foolbox": by_foolbox, "torchattacks": peers.by_torchattacks(subject, norm, attack, eps)}
        for library, theirs in made.items():
            what = f"{attack} {norm} {eps:g} {library}"
            pixels = apart(ours, theirs)
            if exact:
                table.row("pixels", f"{what}: pixels", float(pixels.mean()), most=PIXELS)
            else:
                other = pixels > PATH
                rest = float(pixels[~other].mean()) if not other.all() else np.nan
                table.row("pixels", f"{what}: other paths", float(other.mean()), most=most)
                table.row("pixels", f"{what}: pixels, same path", rest, most=PIXELS)
            mine, yours = subject.predictions(ours[sure]), subject.predictions(theirs[sure])
            accuracies = dict(ours=float((mine == labels).mean()), theirs=float((yours == labels).mean()))
            equal = float((mine == yours).mean())
            table.row("pixels", f"{what}: equal predictions", equal, least=PREDICTIONS, **accuracies)


def check_box(subject, table):
    """Every exported image is where it may be, and is what it is said to be, in f64 and by the torch network."""
    outside = lambda images: ~((images >= 0) & (images <= 1)).all(1)  # NaN is outside
    beyond = lambda norm, eps, images: ~(subject.distance(norm, images) <= eps + TOLERANCE)
    claims_more = lambda images: subject.moved(images) & ~(subject.margin(images) <= MARGIN)
    offences = defaultdict(lambda: np.zeros(len(subject.images), int))  # claim -> images that belie it
    for (norm, eps, attack), images in subject.last.items():
        offences[f"last {norm}: outside box or ball"] += outside(images) | beyond(norm, eps, images)
        if (norm, eps) in subject.worst:
            broken = subject.right & (subject.margin(images) < -MARGIN)
            offences[f"last {norm}: not in the worst case"] += broken & robust(subject, norm, eps)
    for (norm, eps), images in subject.worst.items():
        offences[f"worst {norm}: outside box or ball"] += outside(images) | beyond(norm, eps, images)
        offences[f"worst {norm}: moved, not misclassified"] += claims_more(images)
        offences[f"worst {norm}: wrong when clean, moved"] += ~subject.right & subject.moved(images)
        if norm in subject.nearest:
            further = ~subject.moved(subject.nearest[norm]) | beyond(norm, eps, subject.nearest[norm])
            offences[f"worst {norm}: nearer than the nearest"] += subject.moved(images) & further
    for norm, images in subject.nearest.items():
        offences[f"nearest {norm}: outside box"] += outside(images)
        offences[f"nearest {norm}: moved, not misclassified"] += claims_more(images)
    for claim, images in sorted(offences.items()):
        table.row("box", claim, int(images.sum()), most=0)
        if images.any():
            print("  places", *np.flatnonzero(images)[:10])
    for norm in NORMS:
        curve = [robust(subject, norm, eps).mean() for n, eps in sorted(subject.worst) if n == norm]
        if len(curve) > 1:
            table.row("box", f"worst {norm}: accuracy rises with eps", float(np.diff(curve).max()), most=0)


def robust(subject, norm, eps):
    """Images that our attacks left."""
    return subject.right & ~subject.moved(subject.worst[norm, eps])


def check_autoattack(subject, table):
    """The standard cascade of the authors' code against our worst case."""
    for norm, eps in sorted(subject.worst):
        found = peers.by_autoattack(subject, norm, eps)
        theirs = subject.right & ~(subject.found(norm, found) <= eps + TOLERANCE)
        ours = robust(subject, norm, eps)
        accuracies = dict(ours=float(ours.mean()), theirs=float(theirs.mean()))
        difference = abs(accuracies["ours"] - accuracies["theirs"])
        what = f"standard {norm} {eps:g}"
        table.row("autoattack", f"{what}: robust accuracy", difference, most=POINTS, **accuracies)
        table.row("autoattack", f"{what}: broken by it alone", float((ours & ~theirs).mean()), most=POINTS)


def minimum(subject, norm, attack):
    """Distances of an outside attack, made once for all checks."""
    if (norm, attack) not in subject.theirs:
        torch.manual_seed(0)
        subject.theirs[norm, attack] = subject.found(norm, peers.minimum(subject, norm, attack))
    return subject.theirs[norm, attack]


def check_minimum(subject, table):
    """Outside minimum-norm attacks against our nearest images. FMN: Pintor et al. 2021; DDN: Rony et al. 2019; C&W:
    Carlini and Wagner 2017; FAB: Croce and Hein 2020; DeepFool: Moosavi-Dezfooli et al. 2016."""
    right = subject.right
    for norm, images in sorted(subject.nearest.items()):
        ours = np.where(subject.moved(images), subject.distance(norm, images), np.inf)[right]
        best = np.full(len(ours), np.inf)
        for attack in (*peers.MINIMUM[norm], "fab", "best"):
            theirs = best if attack == "best" else minimum(subject, norm, attack)[right]
            best = np.minimum(best, theirs)
            shorter = float((theirs < (1 - SHORTER) * ours).mean())
            medians = dict(ours=float(np.median(ours)), theirs=float(np.median(theirs)))
            table.row("minimum", f"{norm} {attack}: shorter by 2 %", shorter, most=SHORTER, **medians)


def exact_radii(subject):
    """min_j (z_y - z_j) / (L ||w_y - w_j||), L the product of the largest singular values of hidden dense layers, all
    in f64. Han-layers count 1: a reflection, a shift and |.|."""
    *hidden, (head, _) = [(array.astype(np.float64), bias) for array, bias in layers(subject.weights)]
    lipschitz = np.prod([np.linalg.svd(array, compute_uv=False)[0] for array, _ in hidden if not is_han(array)])
    z = logits_f64(subject.weights, subject.images)
    rows = np.arange(len(z))
    margins = z[rows, subject.labels][:, None] - z  # (n, classes)
    reach = lipschitz * np.linalg.norm(head[:, None] - head[None], axis=2)[subject.labels]
    margins[rows, subject.labels], reach[rows, subject.labels] = np.inf, 1
    return np.maximum((margins / reach).min(1), 0)


def check_certificate(subject, table):
    """Radii against a rebuild by singular values, and outside attacks inside them."""
    if not subject.radii:
        return
    pair, rounded, exact = subject.radii["pair"], subject.radii["rounded"], exact_radii(subject)
    excess = np.divide(pair, exact, out=np.where(pair > 0, np.inf, 1.0), where=exact > 0) - 1
    means = dict(ours=float(pair.mean()), theirs=float(exact.mean()))
    table.row("certificate", "radii above the exact ones, relative", float(excess.max()), most=1e-12, **means)
    lack = -excess[(exact > 1e-6) & subject.right].min(initial=0)
    table.row("certificate", "radii below the exact ones, relative", float(lack), most=RADIUS)
    table.row("certificate", "wrong images with a radius", int((~subject.right & (pair > 0)).sum()), most=0)
    table.row("certificate", "rounded radii above the others", int((rounded > pair).sum()), most=0)

    def violations(what, distance):
        certified = rounded > 0
        closest = float((distance[certified] / rounded[certified]).min(initial=np.inf))
        inside = int((certified & ~(distance >= rounded)).sum())
        table.row("certificate", f"broken inside a radius: {what}", inside, most=0, theirs=f"{closest:.3f} r")

    for attack in (*peers.MINIMUM["l2"], "fab"):
        violations(attack, minimum(subject, "l2", attack))
    torch.manual_seed(0)
    violations("pgd at 0.999 r, 20 starts", subject.found("l2", peers.inside(subject, 0.999 * rounded, 20)))
    for norm in subject.nearest:
        violations(f"our nearest in {norm}", subject.found("l2", subject.nearest[norm]))


def check_noise(subject, table):
    """100 draws of uniform noise break nothing that our worst case left."""
    for norm, eps in sorted(subject.worst):
        if norm == "linf":
            torch.manual_seed(0)
            broken = subject.found(norm, peers.noise(subject, eps, 100)) <= eps + TOLERANCE
            ours = robust(subject, norm, eps)
            accuracies = dict(ours=float(ours.mean()), theirs=float((~broken).mean()))
            alone = int((ours & broken).sum())
            table.row("noise", f"uniform {eps:g}: broken by it alone", alone, most=0, **accuracies)


CHECKS = {
    "logits": check_logits,
    "pixels": check_pixels,
    "box": check_box,
    "autoattack": check_autoattack,
    "minimum": check_minimum,
    "certificate": check_certificate,
    "noise": check_noise,
}


def stretched(subject, images, factor):
    return (subject.images + np.float32(factor) * (images - subject.images)).clip(0, 1)


def spoil(subject, how):
    """Damage that a check has to see; see README.md for which."""
    some = np.arange(len(subject.images)) % 20 == 0  # 5 %
    for key, images in subject.last.items():
        if how == "pgd" and key[2] == "pgd":  # half as strong
            subject.last[key] = stretched(subject, images, 0.5)
        elif how == "pixel":  # one of an image outside the ball
            images[0, 0] = subject.images[0, 0] + 1.1 * key[1]
    for key, images in subject.worst.items():
        if how == "worst":  # 5 % of the successes lost
            subject.worst[key] = np.where(some[:, None], subject.images, images)
        elif how == "nothing-found":
            subject.worst[key] = subject.images.copy()
    for norm, images in subject.nearest.items():
        if how in ("claim", "distance"):  # not misclassified; 5 % of the distances too long
            spoiled = stretched(subject, images, 0.5 if how == "claim" else 1.1)
            subject.nearest[norm] = np.where(some[:, None], spoiled, images)
    for column, radii in subject.radii.items():
        if how in ("radius", "radius-8", "radius-low"):
            subject.radii[column] = radii * {"radius": 1 + 1e-9, "radius-8": 8, "radius-low": 0.99}[how]
    if how == "weight":
        first = min(subject.weights)
        subject.weights[first] = subject.weights[first] * np.float32(1.01)
        subject.ready()


SPOILS = ("pgd", "pixel", "worst", "nothing-found", "claim", "distance", "radius", "radius-8", "radius-low", "weight")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--arm", help="default: all")
    parser.add_argument("--seed", type=int, help="default: all")
    parser.add_argument("--n", type=int, default=1000, help="how many of the images, from the first")
    parser.add_argument("--eps", default="", help="sizes of the ball, by commas; default: all in the file")
    parser.add_argument("--checks", default=",".join(CHECKS), help="by commas; default: all")
    parser.add_argument("--spoil", choices=SPOILS, help="damage the arrays, to see a check fail")
    options = parser.parse_args()
    unknown = set(options.checks.split(",")) - set(CHECKS)
    if unknown:
        parser.error(f"no check is called {', '.join(sorted(unknown))}; use {', '.join(CHECKS)}")
    torch.set_num_threads(1)
    epsilons = [float(eps) for eps in options.eps.split(",") if eps]
    table = Table()
    for subject in subjects(options.file, options.arm, options.seed, options.n, epsilons):
        if options.spoil:
            spoil(subject, options.spoil)
        print(f"{subject.name}: {len(subject.images)} images, clean accuracy {subject.right.mean():.4f}", flush=True)
        for check in options.checks.split(","):
            before = table.rows
            CHECKS[check](subject, table)
            if table.rows == before:
                table.row(check, "arrays to check in the file", 0, least=1)
    print(f"{table.failed} failed" if table.failed else "all passed")
    return min(table.failed, 1)


if __name__ == "__main__":
    sys.exit(main())
