"""VNN-LIB 1.0 text of local robustness queries and of small hand-made ones."""


def declarations(inputs, outputs):
    names = [f"X_{i}" for i in range(inputs)] + [f"Y_{i}" for i in range(outputs)]
    return "\n".join(f"(declare-const {name} Real)" for name in names)


def box(low, high):
    """Bounds with 17 digits, so that the text means exactly the doubles it was written from."""
    return "\n".join(
        f"(assert (>= X_{i} {float(a)!r}))\n(assert (<= X_{i} {float(b)!r}))" for i, (a, b) in enumerate(zip(low, high))
    )


def robustness(comment, low, high, label, classes):
    """Unsafe: any other class scores at least as high as the label."""
    rivals = "\n".join(f"  (and (>= Y_{k} Y_{label}))" for k in range(classes) if k != label)
    return f"; {comment}\n\n{declarations(len(low), classes)}\n\n{box(low, high)}\n\n(assert (or\n{rivals}\n))\n"


def query(comment, low, high, outputs, unsafe):
    """`unsafe` is the text of one assertion over the outputs."""
    return f"; {comment}\n\n{declarations(len(low), outputs)}\n\n{box(low, high)}\n\n(assert {unsafe})\n"
