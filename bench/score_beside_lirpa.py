#!/usr/bin/env python3
"""Processor time of CROWN bounds of every ReLU of a CNN-B, per image, in auto_LiRPA (PyPI).

  python bench/score_beside_lirpa.py BASE.onnx IMAGES.bin EPS [images] [threads]

BASE.onnx as `espalier train cnn-b` writes it, IMAGES.bin a CIFAR-10 binary file. Needs Python 3.9 with torch 1.12,
onnx and auto_LiRPA 0.3: newer ones it does not run with.
Prints seconds of processor time an image and how many neurons were left unstable on average: what
`bench/graft_ablation` prints of the scoring stage is to be compared with it.
"""

import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import numpy as np  # noqa: E402

import onnx  # noqa: E402
import torch  # noqa: E402
from auto_LiRPA import BoundedModule, BoundedTensor, PerturbationLpNorm  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from torch import nn  # noqa: E402


def load(path):
    tensors = {t.name: torch.tensor(numpy_helper.to_array(t).astype(np.float32))
               for t in onnx.load(path).graph.initializer}
    layers = [nn.Conv2d(3, 32, 5, stride=2), nn.Conv2d(32, 128, 4, stride=2, padding=1), nn.Linear(8192, 250),
              nn.Linear(250, 10)]
    with torch.no_grad():
        for k, layer in enumerate(layers):
            layer.weight.copy_(tensors[f"weight_{k + 1}"])
            layer.bias.copy_(tensors[f"bias_{k + 2}"])
    model = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), layers[0], nn.ReLU(), layers[1], nn.ReLU(), nn.Flatten(),
                          layers[2], nn.ReLU(), layers[3]).eval()
    # The normalisation inside the network goes to the boxes: this version has no rule for it.
    return model, lambda x: x * tensors["scale_1"] + tensors["bias_1"]


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    images = int(sys.argv[4]) if len(sys.argv) > 4 else 10
    threads = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    torch.set_num_threads(threads)
    numerator, _, denominator = sys.argv[3].partition("/")
    eps = float(numerator) / float(denominator or 1)
    data = np.fromfile(sys.argv[2], dtype=np.uint8).reshape(-1, 3073)[:images, 1:]
    x = torch.tensor(data.reshape(-1, 3, 32, 32).astype(np.float32) / 255)
    model, normalise = load(sys.argv[1])
    bounded = BoundedModule(model, x[:1], device="cpu")
    spent, unstable = 0.0, 0
    for image in x:
        image = image[None]
        norm = PerturbationLpNorm(norm=np.inf, x_L=normalise((image - eps).clamp(0, 1)),
                                  x_U=normalise((image + eps).clamp(0, 1)))
        start = time.process_time()
        with torch.no_grad():
            bounded.compute_bounds(x=(BoundedTensor(normalise(image), norm),), method="CROWN")
        spent += time.process_time() - start
        for node in bounded._modules.values():
            if type(node).__name__ == "BoundRelu":
                lower, upper = node.inputs[0].lower, node.inputs[0].upper
                unstable += int(((lower < 0) & (upper > 0)).sum())
    print(f"{images} images, {threads} thread(s): {spent / images:.3f} s of processor time an image, "
          f"{unstable / images:.0f} unstable neurons on average")


if __name__ == "__main__":
    main()
