"""fm-exp's model files in PyTorch and in Keras.

Copy what you need: `pytorch_model(path)` gives a `torch.nn.Module`, `keras_model(path)` a `keras.Model`, both
from images `[n, 1, height, width]` of numbers from 0 to 1 (PyTorch) or `[n, height, width, 1]` (Keras) to logits.
"""

import json

from safetensors import safe_open


def read(path):
    """Tensors by name as NumPy arrays, and the metadata."""
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


def layers(tensors, kind):
    """`encoder.conv1`, `encoder.conv2` … in the order of their numbers."""
    names = {name.rsplit(".", 1)[0] for name in tensors if f".{kind}" in name}
    return sorted(names, key=lambda name: int(name.rsplit(kind, 1)[1]))


def classes(path):
    """Class names by label, where the file has them."""
    _, metadata = read(path)
    return json.loads(metadata["classes"]) if "classes" in metadata else None


def pytorch_module(tensors):
    """The network that tensors of these names and shapes belong to, with PyTorch's own initial weights."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = torch.nn.ModuleDict(), torch.nn.ModuleDict()
            for name in layers(tensors, "conv"):
                outputs, inputs, rows, columns = tensors[f"{name}.weight"].shape
                self.encoder[name.split(".")[1]] = torch.nn.Conv2d(inputs, outputs, (rows, columns))
            for name in layers(tensors, "dense"):
                outputs, inputs = tensors[f"{name}.weight"].shape
                self.head[name.split(".")[1]] = torch.nn.Linear(inputs, outputs)

        def forward(self, x):
            for conv in self.encoder.values():
                x = torch.nn.functional.max_pool2d(torch.relu(conv(x)), 2)
            x = torch.flatten(x, 1)
            dense = list(self.head.values())
            for layer in dense[:-1]:
                x = torch.relu(layer(x))
            return dense[-1](x)

    return Network()


def pytorch_model(path):
    """The file's network in PyTorch: names and layouts are PyTorch's already."""
    import torch

    tensors, _ = read(path)
    network = pytorch_module(tensors)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return network.eval()


def keras_model(path, height, width):
    """The file's network in Keras: kernels are turned to [row, column, in, out] and [in, out], and the map
    is put into (channel, row, column) order before it is flattened."""
    import keras

    tensors, _ = read(path)
    x = inputs = keras.Input((height, width, 1))
    for name in layers(tensors, "conv"):
        conv = keras.layers.Conv2D(tensors[f"{name}.bias"].size, 3, activation="relu", name=name.split(".")[1])
        x = keras.layers.MaxPooling2D()(conv(x))
    x = keras.layers.Flatten()(keras.layers.Permute((3, 1, 2))(x))
    dense = layers(tensors, "dense")
    for name in dense:
        activation = None if name == dense[-1] else "relu"
        x = keras.layers.Dense(tensors[f"{name}.bias"].size, activation=activation, name=name.split(".")[1])(x)
    model = keras.Model(inputs, x)
    for name in [*layers(tensors, "conv"), *dense]:
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        axes = (2, 3, 1, 0) if weight.ndim == 4 else (1, 0)
        model.get_layer(name.split(".")[1]).set_weights([weight.transpose(axes), bias])
    return model


def load_keras(model, tensors):
    """Puts tensors into a Keras model whose layers have the tensors' names, such as the one that
    `fm-exp summary --keras` prints. PyTorch's layouts become Keras' (channels last)."""
    for layer in model.layers:
        weight = tensors.get(f"{layer.name}.weight")
        if weight is None:
            continue
        if weight.ndim == 2:
            weight = weight.T
        elif weight.ndim == 4:
            # [out, in, row, column] to [row, column, in, out]; a transposed convolution's axes of channels are
            # the other way round on both sides.
            weight = weight.transpose(2, 3, 1, 0)
            if type(layer).__name__ == "DepthwiseConv2D":
                # [row, column, 1, in * multiplier] to [row, column, in, multiplier].
                weight = weight.reshape(layer.kernel.shape)
        others = (tensors.get(f"{layer.name}.{name}") for name in ("bias", "running_mean", "running_var"))
        layer.set_weights([weight, *(other for other in others if other is not None)])
