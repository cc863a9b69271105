"""Reference numbers from PyTorch in float32, written to {arch}.pytorch.safetensors.

Adam is written out in Keras' form, w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps):
torch.optim.Adam adds eps after v's bias correction, which is an eps of sqrt(1 - b2^t) times as much here.

    python pytorch.py
"""

import math

import numpy as np
import torch
from torch.nn import functional as F

import common

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-7


def forward(params, images):
    """Images [n, 28, 28] to logits: blocks of convolution, ReLU and max pool, then dense layers."""
    x = images.unsqueeze(1)
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in params))
    for layer in layers:
        weight, bias = params[f"{layer}.weight"], params[f"{layer}.bias"]
        if layer.startswith("encoder."):
            x = F.max_pool2d(F.relu(F.conv2d(x, weight, bias)), 2)
        else:
            x = F.linear(x.flatten(1), weight, bias)
            if layer != layers[-1]:
                x = F.relu(x)
    return x


def loss_and_grads(params, images, labels):
    loss = F.cross_entropy(forward(params, images), labels)
    return loss.detach(), dict(zip(params, torch.autograd.grad(loss, list(params.values()))))


class KerasAdam:
    def __init__(self, params):
        self.params = params
        self.m = {name: torch.zeros_like(p) for name, p in params.items()}
        self.v = {name: torch.zeros_like(p) for name, p in params.items()}
        self.t = 0

    @torch.no_grad()
    def step(self, grads):
        self.t += 1
        rate = LR * math.sqrt(1 - BETA2**self.t) / (1 - BETA1**self.t)
        for name, param in self.params.items():
            m, v, grad = self.m[name], self.v[name], grads[name]
            m += (grad - m) * (1 - BETA1)
            v += (grad * grad - v) * (1 - BETA2)
            param -= rate * m / (v.sqrt() + EPS)


class TorchAdam:
    """PyTorch's own, for comparison."""

    def __init__(self, params):
        self.params = params
        self.optimizer = torch.optim.Adam(params.values(), lr=LR, betas=(BETA1, BETA2), eps=EPS)

    def step(self, grads):
        for name, param in self.params.items():
            param.grad = grads[name]
        self.optimizer.step()


def reference(start, dtype, adam=KerasAdam):
    """All numbers of a golden file, as numpy arrays in `dtype`, from what common.load_common() returns."""
    images, labels, init = start
    params = {name: torch.tensor(value, dtype=dtype, requires_grad=True) for name, value in init.items()}
    images, labels = torch.tensor(images).to(dtype) / 255, torch.tensor(labels)
    out = {"logits": forward(params, images).detach()}
    for number in range(common.BATCHES):
        part = common.batch(number)
        out[f"loss.{number}"], grads = loss_and_grads(params, images[part], labels[part])
        if number == 0:
            out |= {f"grad.{name}": grad for name, grad in grads.items()}
    optimizer = adam(params)
    losses = []
    for step in range(common.STEPS):
        part = common.batch(step)
        loss, grads = loss_and_grads(params, images[part], labels[part])
        losses.append(loss)
        optimizer.step(grads)
    out["losses"] = torch.stack(losses)
    out |= {f"final.{name}": param.detach() for name, param in params.items()}
    return {name: value.numpy() for name, value in out.items()}


def main():
    torch.set_num_threads(1)
    for arch in common.ARCHS:
        tensors = reference(common.load_common(arch), torch.float32)
        assert all(np.isfinite(value).all() for value in tensors.values())
        common.save(arch, "pytorch", tensors, f"torch {torch.__version__}")


if __name__ == "__main__":
    main()
