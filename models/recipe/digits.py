"""The digits pair: an adversarially trained 64-60-60-10 network and its 50 % grafted, fine-tuned twin.

Data: scikit-learn's load_digits (1797 images of 8 x 8 pixels, 0 to 16, scaled to [0, 1]); a seeded shuffle, the last
360 images are held out.
"""

import numpy as np
from sklearn.datasets import load_digits

from .crown import margins, unstable
from .graft import graft
from .mlp import Mlp
from .train import Schedule, pgd_accuracy, train

SEED = 7
HELD_OUT = 360
EPSILON = 0.05
RATIO = 0.5


def data():
    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x, y = digits.data[order] / 16.0, digits.target[order]
    return (x[:-HELD_OUT], y[:-HELD_OUT]), (x[-HELD_OUT:], y[-HELD_OUT:])


def make():
    """(base, grafted twin before fine-tuning, twin, control: the base fine-tuned the same way)."""
    (x, y), _ = data()
    rng = np.random.default_rng(SEED)
    base = Mlp((64, 60, 60, 10), rng)
    train(base, x, y, Schedule(epochs=60, rate=0.1, epsilon=EPSILON), rng)
    start = graft(base, x[:1000], y[:1000], EPSILON, RATIO)
    tuning = Schedule(epochs=15, rate=0.02, epsilon=EPSILON)
    twin, control = graft(base, x[:1000], y[:1000], EPSILON, RATIO), graft(base, x[:1000], y[:1000], EPSILON, 0)
    train(twin, x, y, tuning, np.random.default_rng(SEED + 1))
    train(control, x, y, tuning, np.random.default_rng(SEED + 1))
    return base, start, twin, control


def report(net):
    """Held-out figures of one network."""
    _, (x, y) = data()
    low, high = np.clip(x - EPSILON, 0, 1), np.clip(x + EPSILON, 0, 1)
    certified = margins(net, low, high, y)
    certified[np.arange(len(y)), y] = np.inf
    return {
        "clean": net.accuracy(x, y),
        "pgd": pgd_accuracy(net, x, y, EPSILON, np.random.default_rng(SEED)),
        "crown": float(np.mean((certified.min(axis=1) > 0) & (net.logits(x).argmax(axis=1) == y))),
        "unstable": float(np.mean(np.concatenate([u.mean(axis=0) for u in unstable(net, low, high)]))),
        "grafted": int(sum(layer.mask.sum() for layer in net.hidden)),
    }
