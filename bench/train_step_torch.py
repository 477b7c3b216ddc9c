#!/usr/bin/env python3
"""The training step of train_step.cc in PyTorch: CNN-B, float32, one-step attack with random start.

  python bench/train_step_torch.py [threads] [seconds] [batch]

Prints the fastest step in wall time and in processor time per thread, in the default layout and channels-last.
"""

import os
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import torch  # noqa: E402
from torch import nn  # noqa: E402


def cnn_b():
    return nn.Sequential(
        nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(3, 32, 5, stride=2), nn.ReLU(),
        nn.Conv2d(32, 128, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(8192, 250), nn.ReLU(), nn.Linear(250, 10))


class Step:
    def __init__(self, batch, layout):
        self.model = cnn_b().to(memory_format=layout)
        self.optimiser = torch.optim.SGD(self.model.parameters(), lr=1e-5, momentum=0.9, weight_decay=5e-4)
        self.loss = nn.CrossEntropyLoss()
        self.x = torch.rand(batch, 3, 32, 32).contiguous(memory_format=layout)
        self.label = torch.full((batch,), 3)

    def __call__(self):
        lower, upper = (self.x - 0.01).clamp(-1, 1), (self.x + 0.01).clamp(-1, 1)
        x = (lower + torch.rand_like(lower) * (upper - lower)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.loss(self.model(x), self.label), x)
        x = torch.minimum(torch.maximum(x.detach() + 0.01 * gradient.sign(), lower), upper)
        self.optimiser.zero_grad()
        self.loss(self.model(x), self.label).backward()
        self.optimiser.step()


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10
    batch = int(sys.argv[3]) if len(sys.argv) > 3 else 128
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    steps = {"default": Step(batch, torch.contiguous_format), "channels-last": Step(batch, torch.channels_last)}
    best = {name: [float("inf")] * 2 for name in steps}
    for step in steps.values():
        step()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, step in steps.items():
            wall, processor = time.perf_counter(), time.process_time()
            step()
            best[name][0] = min(best[name][0], time.perf_counter() - wall)
            best[name][1] = min(best[name][1], (time.process_time() - processor) / threads)
    for name, (wall, processor) in best.items():
        print(f"torch {torch.__version__} {name:14} wall {1e3 * wall:8.2f} ms  cpu {1e3 * processor:8.2f} ms"
              f"   threads {threads}, batch {batch}")


if __name__ == "__main__":
    main()
