"""Calibration of made logits: loss and Brier score by scikit-learn, calibration error by torchmetrics, temperature by
PyTorch's LBFGS, as calibration.json.

    scripts/golden-stats/calibration.sh
"""

import json
import pathlib

import numpy as np
import sklearn
import torch
import torchmetrics
from sklearn.metrics import brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

FILE = pathlib.Path(__file__).resolve().parents[2] / "crates/fm-train/tests/golden/calibration.json"


def draw(rng, images, classes, sureness):
    """Labels, and logits that are `sureness` times as large as they should be."""
    logits = rng.normal(0, 1.5, (images, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in p])
    # As files have them: exact in 32 bits.
    return np.round(sureness * logits, 4).astype(np.float32), labels


def temperature(logits, labels):
    logits, labels = torch.tensor(logits, dtype=torch.float64), torch.tensor(labels)
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], lr=1.0, max_iter=500, tolerance_grad=1e-14, tolerance_change=1e-16,
                                  line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits / log_t.exp(), labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(log_t.exp())


def scores(logits, labels, divisor):
    p = torch.softmax(torch.tensor(logits, dtype=torch.float64) / divisor, dim=1)
    classes = p.shape[1]
    error = multiclass_calibration_error(p, torch.tensor(labels), num_classes=classes, n_bins=15, norm="l1")
    p = p.numpy()
    return {"loss": log_loss(labels, p, labels=range(classes)),
            "brier": brier_score_loss(labels, p, labels=list(range(classes)), scale_by_half=False),
            "calibration_error": float(error)}


def case(seed, classes, sureness):
    rng = np.random.default_rng(seed)
    (fitted, fitted_labels), (logits, labels) = (draw(rng, n, classes, sureness) for n in (60, 90))
    t = temperature(fitted, fitted_labels)
    flat = lambda values: [float(v) for v in values.ravel()]
    return {"classes": classes, "fitted": flat(fitted), "fitted_labels": fitted_labels.tolist(), "logits": flat(logits),
            "labels": labels.tolist(), "as_it_is": scores(logits, labels, 1.0), "temperature": t,
            "scaled": scores(logits, labels, t)}


def main():
    golden = {"made_by": f"scripts/golden-stats/calibration.py, torch {torch.__version__}, scikit-learn "
                         f"{sklearn.__version__}, torchmetrics {torchmetrics.__version__}",
              "cases": [case(0, 3, 1.0), case(1, 4, 3.0), case(2, 3, 0.4)]}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(golden) + "\n")
    for made in golden["cases"]:
        print(made["temperature"], made["as_it_is"], made["scaled"])


if __name__ == "__main__":
    main()
