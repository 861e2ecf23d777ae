"""The classifier's own phrase_fold (classifier/fold.c), called from Python, so that training and serving cannot drift apart."""
import ctypes
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = ["classifier/fold.c", "base/utf8.c", "base/hash.c", "base/slice.c", "base/err.c"]


class Slice(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _build():
    library = pathlib.Path(tempfile.mkdtemp(prefix="kindred-fold-")) / "libfold.so"
    subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-shared", "-fPIC", "-I", ROOT / "classifier/include", "-I",
                    ROOT / "base/include", *[ROOT / s for s in SOURCES], "-lutf8proc", "-lxxhash", "-o", library],
                   check=True)
    return ctypes.CDLL(str(library))


_library = _build()
_library.phrase_fold.argtypes = [Slice, ctypes.c_char_p]
_library.phrase_fold.restype = ctypes.c_size_t
_buffer = ctypes.create_string_buffer(256)


def fold(phrase):
    """'#Crème-Brûlée' -> 'creme brulee'."""
    raw = phrase.encode()
    held = ctypes.create_string_buffer(raw, len(raw) + 1)
    length = _library.phrase_fold(Slice(ctypes.addressof(held), len(raw)), _buffer)
    return _buffer.raw[:length].decode()


def title(folded):
    """The encoder knows names by their capitals: 'tom brady' -> 'Tom Brady'. ASCII letters only, as the C side does."""
    return " ".join(w[0].upper() + w[1:] if "a" <= w[0] <= "z" else w for w in folded.split(" ")) if folded else ""
