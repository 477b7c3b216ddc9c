"""Interval and CROWN bounds of a fully connected network (fixed slopes), batched over boxes.

Only used to score neurons and to choose properties; nothing is proved with it.
"""

import numpy as np


def lines(layer, lower, upper):
    """Slopes and offsets (lower_slope, upper_slope, upper_offset) of sound lines of every neuron; grafts are exact."""
    active, dead = lower >= 0, upper <= 0
    width = np.maximum(upper - lower, 1e-12)
    chord = upper / width
    upper_slope = np.where(active, 1.0, np.where(dead, 0.0, chord))
    upper_offset = np.where(active | dead, 0.0, -chord * lower)
    lower_slope = np.where(active, 1.0, np.where(dead, 0.0, (upper > -lower).astype(float)))
    lower_offset = np.zeros_like(upper_offset)
    grafted = layer.mask == 1
    return tuple(
        np.where(grafted, exact, relaxed)
        for exact, relaxed in (
            (layer.slope, lower_slope),
            (layer.offset, lower_offset),
            (layer.slope, upper_slope),
            (layer.offset, upper_offset),
        )
    )


def backward_lower(net, count, coefficients, constant, bounds, low, high):
    """Lower bound of coefficients @ (input of layer `count`) + constant over the boxes [low, high]."""
    for i in range(count - 1, -1, -1):
        layer = net.layers[i]
        low_slope, low_offset, up_slope, up_offset = (v[:, None, :] for v in lines(layer, *bounds[i]))
        positive, negative = np.maximum(coefficients, 0), np.minimum(coefficients, 0)
        constant = constant + (positive * low_offset + negative * up_offset).sum(axis=2)
        coefficients = positive * low_slope + negative * up_slope
        constant = constant + coefficients @ layer.bias
        coefficients = coefficients @ layer.weight.T
    positive, negative = np.maximum(coefficients, 0), np.minimum(coefficients, 0)
    return constant + (positive * low[:, None] + negative * high[:, None]).sum(axis=2)


def hidden_bounds(net, low, high):
    """CROWN bounds [lower, upper] of the pre-activations of every hidden layer."""
    bounds = []
    for i, layer in enumerate(net.hidden):
        rows = np.broadcast_to(layer.weight.T, (len(low),) + layer.weight.T.shape)
        lower = backward_lower(net, i, rows, layer.bias, bounds, low, high)
        upper = -backward_lower(net, i, -rows, -layer.bias, bounds, low, high)
        bounds.append((lower, upper))
    return bounds


def margins(net, low, high, labels):
    """Lower bounds of (logit of the label - every other logit); one row of 10 per box, 0 at the label itself."""
    bounds = hidden_bounds(net, low, high)
    last = net.layers[-1]
    rows = last.weight.T[labels][:, None, :] - last.weight.T[None]
    constant = last.bias[labels][:, None] - last.bias[None]
    return backward_lower(net, len(net.hidden), rows, constant, bounds, low, high)


def unstable(net, low, high):
    """Per hidden layer a boolean array [boxes, neurons]: a ReLU whose sign the box does not fix."""
    return [
        (lower < 0) & (upper > 0) & (layer.mask == 0)
        for layer, (lower, upper) in zip(net.hidden, hidden_bounds(net, low, high))
    ]
