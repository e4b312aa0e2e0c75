"""Hashes of AutoAugment's operations as Pillow makes them, for src/data/augment/tests.rs.

    pip install pillow numpy
    python tests/golden/make_augment.py

Prints for each operation the SHA-256 of its results on the first ten test images of the sample of CIFAR-10, for all
magnitudes and both directions. The hashes in the test were made with Pillow 13.0.0 and NumPy 2.4.6.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

PICTURE = Path(__file__).parents[2] / "src/data/sample/cifar10-test.png"
GREY = (128, 128, 128)
SHEAR, SHIFT, ANGLE = np.linspace(0, 0.3, 10), np.linspace(0, 150 / 331, 10), np.linspace(0, 30, 10)
FACTOR = np.linspace(0, 0.9, 10)
BITS, THRESHOLD = np.round(np.linspace(8, 4, 10)).astype(int), np.linspace(256, 0, 10)


def affine(image, *matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=GREY)


OPERATIONS = {
    "ShearX": lambda i, m, s: affine(i, 1, s * SHEAR[m], 0, 0, 1, 0),
    "ShearY": lambda i, m, s: affine(i, 1, 0, 0, s * SHEAR[m], 1, 0),
    "TranslateX": lambda i, m, s: affine(i, 1, 0, s * SHIFT[m] * i.size[0], 0, 1, 0),
    "TranslateY": lambda i, m, s: affine(i, 1, 0, 0, 0, 1, s * SHIFT[m] * i.size[1]),
    "Rotate": lambda i, m, s: i.rotate(s * ANGLE[m], Image.Resampling.NEAREST, fillcolor=GREY),
    "AutoContrast": lambda i, m, s: ImageOps.autocontrast(i),
    "Equalize": lambda i, m, s: ImageOps.equalize(i),
    "Invert": lambda i, m, s: ImageOps.invert(i),
    "Solarize": lambda i, m, s: ImageOps.solarize(i, THRESHOLD[m]),
    "Posterize": lambda i, m, s: ImageOps.posterize(i, int(BITS[m])),
    "Contrast": lambda i, m, s: ImageEnhance.Contrast(i).enhance(1 + s * FACTOR[m]),
    "Color": lambda i, m, s: ImageEnhance.Color(i).enhance(1 + s * FACTOR[m]),
    "Brightness": lambda i, m, s: ImageEnhance.Brightness(i).enhance(1 + s * FACTOR[m]),
    "Sharpness": lambda i, m, s: ImageEnhance.Sharpness(i).enhance(1 + s * FACTOR[m]),
}

picture = Image.open(PICTURE).convert("RGB")
images = [picture.crop((32 * column, 0, 32 * column + 32, 32)) for column in range(10)]
for name, operation in OPERATIONS.items():
    results = hashlib.sha256()
    for image in images:
        for magnitude in range(10):
            for sign in (-1, 1):
                results.update(operation(image, magnitude, sign).tobytes())
    print(f'({name}, "{results.hexdigest()}"),')
