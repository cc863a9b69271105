"""Reference numbers from Keras in float32 (TensorFlow below it), written to {arch}.keras.safetensors.

The networks are the notebook's: channels last, softmax in the last layer, categorical cross-entropy of its
probabilities, keras.optimizers.Adam() as it comes. Weights go in and out in PyTorch's layout.

    python keras_golden.py
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import common


def blocks(filters):
    for count in filters:
        yield layers.Conv2D(count, (3, 3), activation="relu")
        yield layers.MaxPooling2D((2, 2))


def build(arch):
    inputs = keras.Input((28, 28, 1))
    if arch == "cnn":
        stack = [*blocks([32, 64, 64]), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10, activation="softmax")]
        model = keras.Sequential([inputs, *stack])
    else:
        encoder = keras.Sequential([inputs, *blocks([32, 64]), layers.Flatten()])
        mlp = keras.Sequential([keras.Input((1600,)), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"), layers.Dense(10, activation="softmax")])
        model = keras.Sequential([encoder, mlp])
        model.build((None, 28, 28, 1))
    model.compile(optimizer=keras.optimizers.Adam(), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def channels_of(arch):
    """Channels, rows and columns that the first dense layer's inputs are made of."""
    return (64, 1, 1) if arch == "cnn" else (64, 5, 5)


def to_keras(arch, name, value):
    if value.ndim == 4:  # [out, in, y, x] -> [y, x, in, out]
        return value.transpose(2, 3, 1, 0)
    if name == "head.dense1.weight":  # inputs (channel, y, x) -> (y, x, channel)
        value = value.reshape(len(value), *channels_of(arch)).transpose(0, 2, 3, 1).reshape(len(value), -1)
    return value.T if value.ndim == 2 else value


def from_keras(arch, name, value):
    value = np.asarray(value)
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    if value.ndim == 2:
        value = value.T
    if name == "head.dense1.weight":
        c, h, w = channels_of(arch)
        value = value.reshape(len(value), h, w, c).transpose(0, 3, 1, 2).reshape(len(value), -1)
    return value


def logits(model, images):
    """What the last layer's softmax gets."""
    stack = [inner for layer in model.layers for inner in getattr(layer, "layers", [layer])]
    x = images
    for layer in stack[:-1]:
        x = layer(x)
    return keras.ops.matmul(x, stack[-1].kernel) + stack[-1].bias


def reference(arch):
    images, labels, init = common.load_common(arch)
    model = build(arch)
    names = common.param_names(arch)
    model.set_weights([to_keras(arch, name, init[name]) for name in names])
    assert all((from_keras(arch, n, w) == init[n]).all() for n, w in zip(names, model.get_weights(), strict=True))
    images = images.astype("float32")[..., None] / 255
    one_hot = keras.utils.to_categorical(labels, common.CLASSES)

    out = {"logits": logits(model, images)}
    probabilities = model.predict(images, verbose=0)
    np.testing.assert_allclose(keras.ops.softmax(out["logits"]), probabilities, rtol=1e-5)
    for number in range(common.BATCHES):
        part = common.batch(number)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(y=one_hot[part], y_pred=model(images[part], training=True))
        out[f"loss.{number}"] = loss
        if number == 0:
            grads = tape.gradient(loss, model.trainable_weights)
            out |= {f"grad.{name}": from_keras(arch, name, grad) for name, grad in zip(names, grads, strict=True)}
    losses = []
    for step in range(common.STEPS):
        part = common.batch(step)
        model.reset_metrics()  # train_on_batch() returns the mean since the last reset
        losses.append(model.train_on_batch(images[part], one_hot[part])[0])
    out["losses"] = losses
    out |= {f"final.{name}": from_keras(arch, name, weight) for name, weight in zip(names, model.get_weights(), strict=True)}
    return {name: np.asarray(value, np.float32) for name, value in out.items()}


def main():
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for arch in common.ARCHS:
        tensors = reference(arch)
        assert all(np.isfinite(value).all() for value in tensors.values())
        common.save(arch, "keras", tensors, f"keras {keras.__version__}, tensorflow {tf.__version__}")


if __name__ == "__main__":
    main()
