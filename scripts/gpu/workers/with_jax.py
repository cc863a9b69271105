"""JAX: an epoch is one compiled call, a `lax.scan` over its steps.

The network is walked from PyTorch's generated module, so that there is one statement of it; its initial weights come
along. Data lie on the device as bytes.
"""

import os
import pathlib

# Others use the GPU too.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy
from jax import lax
import torch
from torch import nn

import idx
from . import network

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-7


def start(job):
    jax.config.update("jax_default_matmul_precision", "tensorfloat32" if job["tf32"] else "float32")
    if job["device"] == "cpu":
        jax.config.update("jax_platforms", "cpu")
    device = jax.devices()[0]
    if (device.platform == "cpu") != (job["device"] == "cpu"):
        raise SystemExit(f"JAX computes on {device.platform} here, not on {job['device']}")
    directory, count = pathlib.Path(job["data_dir"]), job["images"]
    (_, rows, columns), images = idx.read(directory, idx.PARTS["train"][0])
    _, labels = idx.read(directory, idx.PARTS["train"][1])
    images = numpy.frombuffer(images, numpy.uint8).reshape(-1, 1, rows, columns)[:count]
    labels = numpy.frombuffer(labels, numpy.uint8)[:count].astype(numpy.int32)
    about = f"JAX {jax.__version__}, {device.device_kind}"
    return {"images": jax.device_put(images), "labels": jax.device_put(labels), "about": about}


def layers(module):
    """The network's layers in their order, and the arrays that train."""
    kinds, params = [], []
    for layer in (layer for layer in module.modules() if not list(layer.children())):
        match layer:
            case nn.Conv2d() | nn.Linear():
                params.append(tuple(jnp.asarray(t.detach().numpy()) for t in (layer.weight, layer.bias)))
                kinds.append("conv" if isinstance(layer, nn.Conv2d) else "dense")
            case nn.ReLU():
                kinds.append("relu")
            case nn.MaxPool2d(kernel_size=2):
                kinds.append("pool")
            case nn.Flatten():
                kinds.append("flatten")
            case _:
                raise ValueError(f"not covered: {layer}")
    return kinds, params


def logits(kinds, params, x):
    params = iter(params)
    for kind in kinds:
        if kind == "conv":
            weight, bias = next(params)
            x = lax.conv_general_dilated(x, weight, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
            x = x + bias[None, :, None, None]
        elif kind == "dense":
            weight, bias = next(params)
            x = x @ weight.T + bias
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "pool":
            # The same as reduce_window, whose gradient is slow.
            n, channels, rows, columns = x.shape
            x = x[:, :, : rows // 2 * 2, : columns // 2 * 2].reshape(n, channels, rows // 2, 2, columns // 2, 2).max((3, 5))
        else:
            x = x.reshape(len(x), -1)
    return x


class Trainer:
    def __init__(self, job, shared, arch):
        torch.manual_seed(0)
        kinds, params = layers(network(job["code"][arch]))
        images, labels, batch = shared["images"], shared["labels"], job["batch"]
        steps = len(images) // batch
        self.shape = steps, len(images)

        def loss_of(params, x, y):
            z = logits(kinds, params, x.astype(jnp.float32) * (1 / 255))
            loss = -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], 1).mean()
            return loss, (z.argmax(1) == y).sum()

        def step(images, labels, state, rows):
            params, m, v, t = state
            (loss, hits), g = jax.value_and_grad(loss_of, has_aux=True)(params, images[rows], labels[rows])
            t = t + 1
            m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
            v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
            first, second = 1 - BETA1**t, 1 - BETA2**t
            update = lambda p, m, v: p - LR * (m / first) / (jnp.sqrt(v / second) + EPS)
            return (jax.tree.map(update, params, m, v), m, v, t), (loss, hits)

        def epoch(images, labels, state, key):
            order = jax.random.permutation(key, len(images)).reshape(steps, batch)
            state, (losses, hits) = lax.scan(lambda s, rows: step(images, labels, s, rows), state, order)
            return state, losses.mean(), hits.sum()

        zeros = lambda: jax.tree.map(jnp.zeros_like, params)
        self.state, self.key = (params, zeros(), zeros(), jnp.zeros((), jnp.float32)), jax.random.key(0)
        self.data, self.run = (images, labels), jax.jit(epoch, donate_argnums=2)

    def epoch(self):
        self.key, key = jax.random.split(self.key)
        self.state, loss, hits = self.run(*self.data, self.state, key)
        return float(loss), int(hits) / self.shape[1]
