"""The digits as espalier reads data sets: python -m recipe.data_files FOLDER  ->  FOLDER/train.npz, FOLDER/held_out.npz"""

import pathlib
import sys

import numpy as np

from . import digits


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, (x, y) in zip(("train", "held_out"), digits.data()):
        np.savez(folder / f"{name}.npz", x=x.astype(np.float32), y=y.astype(np.int64))


if __name__ == "__main__":
    main()
