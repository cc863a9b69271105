"""How far the golden files agree with PyTorch in float64 and with each other, as a Markdown table.

    python compare.py
"""

import numpy as np
import torch

import common
import pytorch

GROUPS = {
    "logits": "logits, 32 images",
    "loss.": "loss of the 4 batches",
    "grad.": "gradient of batch 0, worst tensor",
    "losses": "losses of the 20 steps",
    "final.": "weights after them, worst tensor",
}


def largest(a, b):
    """Largest difference relative to the tensor's largest value."""
    return np.abs(a - b).max() / np.abs(b).max()


def norm(a, b):
    """Relative difference in the Euclidean norm."""
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def worst(measure, a, b, group):
    return max(measure(a[name].astype(np.float64), b[name].astype(np.float64)) for name in b if name.startswith(group))


def main():
    print("\n| | | PyTorch f32 / f64 | Keras / PyTorch f64 | Keras / PyTorch f32 | torch.optim.Adam f64 / f64 |")
    print("|---|---|--:|--:|--:|--:|")
    for arch in common.ARCHS:
        start = common.load_common(arch)
        init = start[2]
        f64 = pytorch.reference(start, torch.float64)
        own = pytorch.reference(start, torch.float64, pytorch.TorchAdam)
        f32, keras = common.load(arch, "pytorch"), common.load(arch, "keras")
        assert f64.keys() == f32.keys() == keras.keys()
        pairs = [(f32, f64), (keras, f64), (keras, f32), (own, f64)]

        def row(label, values):
            print(f"| {arch} | {label} | " + " | ".join(f"{value:.1e}" for value in values) + " |")

        for group, label in GROUPS.items():
            row(f"{label}: largest", [worst(largest, a, b, group) for a, b in pairs])
            if group in ("grad.", "final."):
                row(f"{label}: norm", [worst(norm, a, b, group) for a, b in pairs])
        # What training did, which the initial weights would hide.
        moved = [{n: t[f"final.{n}"].astype(np.float64) - init[n] for n in init} for t in (f64, f32, keras, own)]
        moves = dict(zip(("f64", "f32", "keras", "own"), moved))
        pairs = [("f32", "f64"), ("keras", "f64"), ("keras", "f32"), ("own", "f64")]
        row("final - initial weights, worst tensor: norm", [worst(norm, moves[a], moves[b], "") for a, b in pairs])
        row("final weights: largest absolute difference", [
            max(np.abs(moves[a][n] - moves[b][n]).max() for n in init) for a, b in pairs])
        print(f"<!-- {arch}: loss {f64['losses'][0]:.4f} -> {f64['losses'][-1]:.4f} -->")


if __name__ == "__main__":
    main()
