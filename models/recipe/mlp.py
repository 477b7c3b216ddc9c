"""Fully connected networks in numpy whose neurons are ReLUs or grafted lines.

Per hidden neuron f(z) = (1 - m) relu(z) + m (a z + b), with m fixed 0/1 and a, b trained like weights.
"""

import numpy as np


class Layer:
    """z = x @ weight + bias, then f(z); the last layer of a network has no activation."""

    def __init__(self, weight, bias):
        self.weight, self.bias = weight, bias
        self.mask = np.zeros(bias.shape)  # 1: grafted
        self.slope = np.zeros(bias.shape)
        self.offset = np.zeros(bias.shape)

    def activate(self, z):
        return np.where(self.mask == 1, self.slope * z + self.offset, np.maximum(z, 0))

    def derivative(self, z):
        return np.where(self.mask == 1, self.slope, (z > 0).astype(float))


class Mlp:
    def __init__(self, sizes, rng):
        self.layers = [
            Layer(rng.normal(0, np.sqrt(2 / a), (a, b)), np.zeros(b)) for a, b in zip(sizes, sizes[1:])
        ]

    @property
    def hidden(self):
        return self.layers[:-1]

    def forward(self, x):
        """Inputs of every layer, pre-activations of the hidden layers, logits."""
        inputs, pre = [x], []
        for layer in self.hidden:
            pre.append(inputs[-1] @ layer.weight + layer.bias)
            inputs.append(layer.activate(pre[-1]))
        return inputs, pre, inputs[-1] @ self.layers[-1].weight + self.layers[-1].bias

    def logits(self, x):
        return self.forward(x)[2]

    def accuracy(self, x, y):
        return float(np.mean(self.logits(x).argmax(axis=1) == y))

    def backward(self, inputs, pre, grad_logits):
        """Gradients for (weight, bias, slope, offset) of every layer, of every pre-activation, and of the input."""
        parameters, pre_grads, grad = [], [], grad_logits
        for i in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[i]
            slope_grad = offset_grad = None
            if i < len(pre):
                slope_grad = (grad * pre[i] * layer.mask).sum(axis=0)
                offset_grad = (grad * layer.mask).sum(axis=0)
                grad = grad * layer.derivative(pre[i])
                pre_grads.insert(0, grad)
            parameters.insert(0, (inputs[i].T @ grad, grad.sum(axis=0), slope_grad, offset_grad))
            grad = grad @ layer.weight.T
        return parameters, pre_grads, grad


def cross_entropy_gradient(logits, labels):
    """d(sum of cross-entropies)/d(logits)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probability = shifted / shifted.sum(axis=1, keepdims=True)
    probability[np.arange(len(labels)), labels] -= 1
    return probability
