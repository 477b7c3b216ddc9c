"""One-step adversarial training (random start, one signed-gradient step) by SGD with momentum, and a PGD attack."""

from dataclasses import dataclass

import numpy as np

from .mlp import cross_entropy_gradient


@dataclass
class Schedule:
    epochs: int
    rate: float
    epsilon: float
    batch: int = 64
    momentum: float = 0.9
    decay: float = 1e-4
    line_rate: float = 0.01  # slopes and offsets of grafted neurons, without weight decay


def input_gradient(net, x, y):
    inputs, pre, logits = net.forward(x)
    return net.backward(inputs, pre, cross_entropy_gradient(logits, y))[2]


def one_step_attack(net, x, y, epsilon, rng):
    start = np.clip(x + rng.uniform(-epsilon, epsilon, x.shape), 0, 1)
    moved = start + 1.25 * epsilon * np.sign(input_gradient(net, start, y))
    return np.clip(np.clip(moved, x - epsilon, x + epsilon), 0, 1)


def pgd_accuracy(net, x, y, epsilon, rng, steps=20, restarts=3):
    """Fraction of the points that no restart moves to another class."""
    robust = np.ones(len(y), dtype=bool)
    for _ in range(restarts):
        z = np.clip(x + rng.uniform(-epsilon, epsilon, x.shape), 0, 1)
        for _ in range(steps):
            z = z + epsilon / 5 * np.sign(input_gradient(net, z, y))
            z = np.clip(np.clip(z, x - epsilon, x + epsilon), 0, 1)
        robust &= net.logits(z).argmax(axis=1) == y
    return float(robust.mean())


def train(net, x, y, schedule, rng):
    """Trains in place; the learning rate falls along a cosine to zero."""
    velocity = [[0.0, 0.0, 0.0, 0.0] for _ in net.layers]
    steps_per_epoch = -(-len(x) // schedule.batch)
    total = schedule.epochs * steps_per_epoch
    for step in range(total):
        if step % steps_per_epoch == 0:
            order = rng.permutation(len(x))
        at = step % steps_per_epoch * schedule.batch
        chosen = order[at : at + schedule.batch]
        adversarial = one_step_attack(net, x[chosen], y[chosen], schedule.epsilon, rng)
        inputs, pre, logits = net.forward(adversarial)
        grads, _, _ = net.backward(inputs, pre, cross_entropy_gradient(logits, y[chosen]) / len(chosen))
        cosine = 0.5 * (1 + np.cos(np.pi * step / total))
        for layer, grad, moment in zip(net.layers, grads, velocity):
            update(layer, grad, moment, schedule, cosine)


def update(layer, grad, moment, schedule, cosine):
    names = ("weight", "bias", "slope", "offset")
    for k, name in enumerate(names):
        if grad[k] is None:
            continue
        is_line = name in ("slope", "offset")
        value = getattr(layer, name)
        decay = schedule.decay * value if name == "weight" else 0.0
        moment[k] = schedule.momentum * moment[k] + grad[k] + decay
        setattr(layer, name, value - cosine * (schedule.line_rate if is_line else schedule.rate) * moment[k])
