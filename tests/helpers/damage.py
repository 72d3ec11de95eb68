"""Files as bad transfers and strangers make them."""

import numpy as np


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A file damaged in one of many ways."""
    changed = bytearray(data)
    way = rng.integers(5)
    if way == 0:
        return bytes(changed[: rng.integers(4, len(changed))])
    # Headers and directories decide most: half of the damage is done there.
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 400)
    for _ in range(rng.integers(1, 12)):
        at = int(rng.integers(4, reach))
        if way == 1:
            changed[at] = rng.integers(256)
        elif way == 2:
            changed[at : at + 4] = rng.integers(0, 256, 4, dtype=np.uint8).tobytes()
        elif way == 3:
            changed[at : at + 4] = b"\xff\xff\xff\x7f"
        else:
            del changed[at : at + int(rng.integers(1, 16))]
    return bytes(changed)
