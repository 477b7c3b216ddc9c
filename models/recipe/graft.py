"""Linearity grafting (arXiv 2206.07839): neurons that are often unstable and matter little become lines.

Score = rank(instability) - rank(significance) over all hidden layers together; the best `ratio` of all neurons are
grafted. Instability: on how many images the box of radius epsilon leaves the neuron's sign open (CROWN bounds).
Significance: mean |d loss / d pre-activation|. Each line starts as the least-squares fit of relu on the neuron's own
pre-activations, layer by layer, so that later fits see grafted inputs.
"""

import copy

import numpy as np

from .crown import unstable
from .mlp import cross_entropy_gradient


def rank(values):
    """Average ranks scaled to [0, 1]."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + last - 1) / 2)[inverse] / (len(values) - 1)


def choose(net, x, y, epsilon, ratio):
    """Masks of the hidden layers."""
    low, high = np.clip(x - epsilon, 0, 1), np.clip(x + epsilon, 0, 1)
    instability = np.concatenate([u.mean(axis=0) for u in unstable(net, low, high)])
    inputs, pre, logits = net.forward(x)
    _, pre_grads, _ = net.backward(inputs, pre, cross_entropy_gradient(logits, y))
    significance = np.concatenate([np.abs(g).mean(axis=0) for g in pre_grads])
    score = rank(instability) - rank(significance)
    mask = np.zeros(len(score))
    mask[np.argsort(-score, kind="stable")[: round(ratio * len(score))]] = 1
    return np.split(mask, np.cumsum([len(layer.bias) for layer in net.hidden])[:-1])


def fit_lines(net, x):
    """Least-squares line of relu(z) on the samples z of every grafted neuron, first layer first."""
    for i, layer in enumerate(net.hidden):
        z = net.forward(x)[1][i]
        target, centred = np.maximum(z, 0), z - z.mean(axis=0)
        slope = (centred * target).sum(axis=0) / np.maximum((centred**2).sum(axis=0), 1e-12)
        layer.slope = np.where(layer.mask == 1, slope, 0.0)
        layer.offset = np.where(layer.mask == 1, target.mean(axis=0) - slope * z.mean(axis=0), 0.0)


def graft(net, x, y, epsilon, ratio):
    """A grafted copy, lines fitted, not yet fine-tuned."""
    twin = copy.deepcopy(net)
    for layer, mask in zip(twin.hidden, choose(net, x, y, epsilon, ratio)):
        layer.mask = mask
    fit_lines(twin, x)
    return twin
