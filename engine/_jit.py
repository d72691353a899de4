"""The one place that compiles: options with their reasons, and the few instructions Numba has no name for.

Options, the same for every kernel:

- ``fastmath=False``: reassociation makes the bits depend on the vector width, and it optimises away the rounding by a
  magic number on which `special.exp_scalar` rests (measured elsewhere: wrong by 41 % on a plain SSE2 target).
- ``error_model="numpy"``: division by zero gives an infinity; the Python model's test would stop vectorising.
- ``nogil=True``: threads split rows over kernels (`kernels.parallel`); nothing here is compiled with ``parallel=True``.
- ``cache=True``, in a folder named after the text of all kernels: Numba keys its cache on a function's own file only,
  so a change in `special` would leave a stale `revalue` behind, and two keepers would disagree.

A scalar helper is `inlined` into the loop that calls it, which is what lets the loop vectorise across scenarios.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

Function = TypeVar("Function", bound=Callable[..., Any])

_CONFIG: Any = numba.config
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}
_PACKAGE = Path(__file__).resolve().parent


def _use_full_vectors() -> None:
    """Let LLVM use 512-bit vectors where the processor has them and nobody chose a target.

    For several Intel models it prefers 256 bits, which cost a quarter of the speed here; the bits of a result do not
    depend on it, since nothing is reassociated.
    """
    if _CONFIG.CPU_NAME is None and _CONFIG.CPU_FEATURES is None:
        features = str(cast(Any, get_host_cpu_features)())
        if "+avx512f" in features.split(","):
            _CONFIG.CPU_FEATURES = features + ",-prefer-256-bit"


def _fingerprint() -> str:
    """Return a short hash of the text of this file and of every kernel."""
    digest = hashlib.sha256()
    for path in [Path(__file__).resolve(), *sorted((_PACKAGE / "kernels").glob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _cache_folder() -> Path | None:
    """Return where compiled kernels are kept, or None where nothing can be written (then each start compiles)."""
    base = Path(_CONFIG.CACHE_DIR) if _CONFIG.CACHE_DIR else _PACKAGE / "__pycache__"
    folder = base / f"kernels-{_fingerprint()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


_use_full_vectors()
_CACHE_FOLDER = _cache_folder()


@contextmanager
def _own_cache() -> Iterator[None]:
    """Point Numba at our folder while a kernel is declared, so that other users of Numba keep their own."""
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(_CACHE_FOLDER or "")
    try:
        yield
    finally:
        _CONFIG.CACHE_DIR = before


def kernel(function: Function) -> Function:
    """Compile an array kernel at its first call, or load it from the cache."""
    with _own_cache():
        return cast(Function, numba.njit(cache=_CACHE_FOLDER is not None, **_OPTIONS)(function))


def inlined(function: Function) -> Function:
    """Compile a helper that is always inlined into the kernel that calls it."""
    return cast(Function, numba.njit(forceinline=True, **_OPTIONS)(function))


def read_only(array: ArrayLike, dtype: Any) -> NDArray[Any]:
    """Return a contiguous read-only view, or copy where needed, of the type a kernel expects.

    Numba compiles anew for every mixture of writable and read-only arguments; this leaves one.
    """
    view = np.ascontiguousarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def _fma(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


def _float_bits(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _bits_float(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


def _mask64_lt(typing_context: Any, values: Any, start: Any, bound: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        vector = ir.VectorType(ir.DoubleType(), 64)
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer())
        loaded = builder.load(address)
        # numpy aligns to an element, not to a vector
        loaded.align = 8
        single = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[2], cgutils.int32_t(0))
        lanes = ir.Constant(ir.VectorType(cgutils.int32_t, 64), [0] * 64)
        spread = builder.shuffle_vector(single, ir.Constant(vector, ir.Undefined), lanes)
        return builder.bitcast(builder.fcmp_ordered("<", loaded, spread), ir.IntType(64))

    return types.int64(values, types.int64, types.float64), generate


def _trailing_zeros(typing_context: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


fma = cast(Callable[[float, float, float], float], intrinsic(_fma))
"""``fma(x, y, z)``: x y + z rounded once, as IEEE 754 defines it; an instruction, or libm's exact routine."""

float_bits = cast(Callable[[float], int], intrinsic(_float_bits))
"""``float_bits(x)``: the 64 bits of a float as a signed integer."""

bits_float = cast(Callable[[int], float], intrinsic(_bits_float))
"""``bits_float(n)``: the float whose 64 bits are those of the integer."""

mask64_lt = cast(Callable[[NDArray[np.float64], int, float], int], intrinsic(_mask64_lt))
"""``mask64_lt(values, start, bound)``: bit j tells whether ``values[start + j] < bound``, j = 0 ... 63; NaN never is.

`values` is a contiguous vector with at least 64 entries from `start` on; nothing is checked.
"""

trailing_zeros = cast(Callable[[int], int], intrinsic(_trailing_zeros))
"""``trailing_zeros(mask)``: index of the lowest bit that is set; `mask` is not 0."""
