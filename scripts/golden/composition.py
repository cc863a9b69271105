"""Reference numbers from PyTorch in float32 for the phases of composition, from encoder-mlp.common.safetensors:
an autoencoder with its mirrored decoder, written to autoencoder.pytorch.safetensors, and a head that trains
on a frozen encoder, written to frozen.pytorch.safetensors.

    python composition.py
"""

import numpy as np
import torch
from torch.nn import functional as F

import common
import pytorch

# A seed for which rounding does not grow during the steps, in either memory layout: where a gradient is
# exactly zero in one and 1e-9 in the other, Adam makes a step of it.
SEED = 1
# Transposed convolutions' weights are [in, out, y, x].
DECODER = {"decoder.deconv2": (64, 32, 3, 3), "decoder.deconv1": (32, 1, 3, 3)}


def draw_decoder(rng):
    init = {}
    for layer, shape in DECODER.items():
        limit = np.sqrt(6.0 / ((shape[0] + shape[1]) * 9))
        init[f"{layer}.weight"] = rng.uniform(-limit, limit, shape).astype(np.float32)
        init[f"{layer}.bias"] = rng.uniform(-0.05, 0.05, shape[1]).astype(np.float32)
    return init


def reconstruct(params, images):
    """Images [n, 26, 26], all that the encoder sees, to images of the same shape."""
    x = images.unsqueeze(1)
    for layer in ("encoder.conv1", "encoder.conv2"):
        x = F.max_pool2d(F.relu(F.conv2d(x, params[f"{layer}.weight"], params[f"{layer}.bias"])), 2)
    for layer in DECODER:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.conv_transpose2d(x, params[f"{layer}.weight"], params[f"{layer}.bias"])
        x = F.relu(x) if layer == "decoder.deconv2" else torch.sigmoid(x)
    return x.squeeze(1)


def twenty_steps(params, trained, loss_of):
    """Losses before each of the steps, and all weights after them."""
    optimizer = pytorch.KerasAdam({name: params[name] for name in trained})
    losses = []
    for step in range(common.STEPS):
        loss = loss_of(common.batch(step))
        grads = torch.autograd.grad(loss, [params[name] for name in trained])
        losses.append(loss.detach())
        optimizer.step(dict(zip(trained, grads)))
    final = {f"final.{name}": param.detach().numpy() for name, param in params.items()}
    return final | {"losses": torch.stack(losses).numpy()}


def main():
    torch.set_num_threads(1)
    images, labels, init = common.load_common("encoder-mlp")
    images, labels = torch.tensor(images).float() / 255, torch.tensor(labels)

    encoder = {name: value for name, value in init.items() if name.startswith("encoder.")}
    start = encoder | draw_decoder(np.random.default_rng(SEED))
    params = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    seen = images[:, :26, :26]
    out = {f"init.{name}": value for name, value in start.items()}
    out["outputs"] = reconstruct(params, seen).detach().numpy()
    out |= twenty_steps(params, list(params), lambda part: F.mse_loss(reconstruct(params, seen[part]), seen[part]))
    common.save("autoencoder", "pytorch", out, f"torch {torch.__version__}")

    params = {name: torch.tensor(value, requires_grad=True) for name, value in init.items()}
    head = [name for name in params if name.startswith("head.")]
    loss = lambda part: F.cross_entropy(pytorch.forward(params, images[part]), labels[part])
    common.save("frozen", "pytorch", twenty_steps(params, head, loss), f"torch {torch.__version__}")


if __name__ == "__main__":
    main()
