"""The model file: named tensors behind a digest. Its format stands in classifier/include/classifier/model.h."""
import struct

import numpy as np
import xxhash

MAGIC = b"KNDRMDL1"
TYPES = {np.dtype(np.uint8): 1, np.dtype(np.int8): 2, np.dtype(np.uint32): 3, np.dtype(np.float32): 4}


def write(path, tensors):
    """tensors: name -> array of u8, i8, u32 or f32, rank at most 4."""
    offset = -(-(24 + 64 * len(tensors)) // 64) * 64
    descriptors, blocks, position = b"", [], 24 + 64 * len(tensors)
    for name, array in tensors.items():
        array = np.ascontiguousarray(array)
        assert len(name) < 32 and array.dtype in TYPES and array.ndim <= 4, (name, array.dtype, array.shape)
        shape = list(array.shape) + [1] * (4 - array.ndim)
        descriptors += struct.pack("<32sBB6x4IQ", name.encode(), TYPES[array.dtype], array.ndim, *shape, offset)
        blocks.append(b"\0" * (offset - position) + array.tobytes())
        position = offset + array.nbytes
        offset = -(-position // 64) * 64
    body = descriptors + b"".join(blocks)
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<IIQ", len(tensors), 0, xxhash.xxh3_64_intdigest(body)) + body)


def quantise_rows(matrix):
    """matrix [rows, columns] f32 -> (i8 of the same shape, f32 [rows]): matrix ~ i8 * scale of its row."""
    scale = np.maximum(np.abs(matrix).max(1), 1e-8) / 127
    return np.clip(np.rint(matrix / scale[:, None]), -127, 127).astype(np.int8), scale.astype(np.float32)
