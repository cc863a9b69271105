"""Augmented images from torchvision, on draws from ChaCha8 written anew from the text of the Rust code.

Writes crates/fm-images/tests/golden/augment.json: made images, and what torchvision's functional operators
(hflip, pad, crop, erase) make of them with the draws of each seed, epoch and row. Mixing is the formula of
Zhang et al. in float64, rounded to the nearest byte, halves up.

    python scripts/golden/augment.py
"""

import json
import math
import pathlib
import re

import torch
from torchvision.transforms.v2 import functional as F

OUT = pathlib.Path(__file__).parents[2] / "crates/fm-images/tests/golden/augment.json"
OPERATIONS = ["flip", "shift", "erase", "mixup"]
MASK = 0xFFFFFFFF


def block(seed, stream, counter):
    """16 words of ChaCha with 8 rounds (Bernstein 2008), a 64-bit counter and a 64-bit stream."""
    words = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, seed & MASK, seed >> 32, *[0] * 6]
    words += [counter & MASK, counter >> 32, stream & MASK, stream >> 32]
    state = list(words)

    def quarter(a, b, c, d):
        for x, y, z, by in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
            state[x] = (state[x] + state[y]) & MASK
            mixed = state[z] ^ state[x]
            state[z] = (mixed << by | mixed >> 32 - by) & MASK

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & MASK for a, b in zip(words, state)]


class Draws:
    """The numbers of one operation of one image."""

    def __init__(self, seed, epoch, row, operation):
        slot = OPERATIONS.index(operation)
        word = (slot // 4) << 38 | row << 6 | (slot % 4) << 4
        self.words = iter(block(seed, 2 << 32 | epoch, word // 16))

    def below(self, n):
        """Lemire 2019."""
        while True:
            product = next(self.words) * n
            if product & MASK >= 2**32 % n:
                return product >> 32

    def unit(self):
        return (next(self.words) + 0.5) / 2**32


def changed(image, row, spec, seed, epoch):
    """One image `[channels, height, width]` with all that concerns it alone."""
    height, width = image.shape[-2:]
    if "flip" in spec and next(Draws(seed, epoch, row, "flip").words) >> 31:
        image = F.horizontal_flip(image)
    if padding := spec.get("shift"):
        draws = Draws(seed, epoch, row, "shift")
        top, left = draws.below(2 * padding + 1), draws.below(2 * padding + 1)
        image = F.crop(F.pad(image, [padding]), top, left, height, width)
    if side := spec.get("erase"):
        draws = Draws(seed, epoch, row, "erase")
        top, left = draws.below(height) - side // 2, draws.below(width) - side // 2
        down, right = min(top + side, height), min(left + side, width)
        top, left = max(top, 0), max(left, 0)
        image = F.erase(image, top, left, down - top, right - left, torch.tensor(0, dtype=torch.uint8))
    return image


def beta(a, u, v):
    """(1 + T / sqrt(2a + T^2)) / 2, T being Student's with 2a degrees of freedom."""
    cosine = math.cos(2 * math.pi * v)
    t = math.sqrt(2 * a * (u ** (-1 / a) - 1)) * cosine
    return 0.5 + 0.5 * t / math.sqrt(2 * a + t * t)


def case(text, shape, count, training, seed, epoch):
    spec = {word: float(number or 1) for word, number in re.findall(r"([a-z]+)([\d.]*)", text)}
    spec |= {word: int(spec[word]) for word in ("shift", "erase") if word in spec}
    values = torch.arange(count * math.prod(shape)) * 7919 % 256
    images = values.to(torch.uint8).reshape(count, *shape)
    labels = [row * 3 % 10 for row in range(count)]
    rows = [row * 5 % count for row in range(count)]
    pixels, partners, shares = [], [], []
    for row in rows:
        image = changed(images[row], row, spec, seed, epoch)
        if a := spec.get("mixup"):
            draws = Draws(seed, epoch, row, "mixup")
            other = training[draws.below(len(training))]
            share = math.floor(beta(a, draws.unit(), draws.unit()) * 65536 + 0.5)
            partner = changed(images[other], other, spec, seed, epoch).double()
            mixed = share / 65536 * image.double() + (1 - share / 65536) * partner
            image = torch.floor(mixed + 0.5).to(torch.uint8)
            partners.append(labels[other])
            shares.append(share)
        pixels.append(bytes(image.flatten().tolist()).hex())
    return {
        "augment": text, "shape": shape, "seed": seed, "epoch": epoch, "training": training,
        "images": [bytes(image.flatten().tolist()).hex() for image in images], "labels": labels,
        "rows": rows, "pixels": pixels, "partners": partners, "shares": shares,
    }


def main():
    grey, colour = [1, 9, 12], [3, 6, 5]
    half = list(range(0, 24, 2))
    cases = [
        case("flip", grey, 24, half, 0, 1),
        case("shift3", grey, 24, half, 2**64 - 1, 2**32 - 1),
        case("erase4", grey, 24, half, 2, 30),
        case("erase5", colour, 24, half, 3, 2),
        case("mixup0.2", grey, 24, half, 4, 1),
        case("flip,shift2,erase3", colour, 24, half, 5, 7),
        case("flip,shift1,erase4,mixup1.5", colour, 24, half, 0xDEADBEEF0BADCAFE, 3),
    ]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(cases, separators=(",", ":")).replace('{"augment"', '\n{"augment"') + "\n")
    print(f"{OUT}: {len(cases)} cases")


if __name__ == "__main__":
    main()
