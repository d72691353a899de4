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
from numba.core import cgutils as untyped_cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numpy.typing import ArrayLike, NDArray

Function = TypeVar("Function", bound=Callable[..., Any])

_CONFIG: Any = numba.config
cgutils: Any = untyped_cgutils
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


def _element(array: Any) -> tuple[Any, int]:
    """Return the LLVM type and the bytes of an array's elements, which are of 32 or of 64 bits."""
    return (ir.FloatType(), 4) if array.dtype == types.float32 else (ir.DoubleType(), 8)


def _spread(builder: Any, scalar: Any) -> Any:
    """Fill a vector of 64 with one value."""
    empty = ir.Constant(ir.VectorType(scalar.type, 64), ir.Undefined)
    single = builder.insert_element(empty, scalar, cgutils.int32_t(0))
    return builder.shuffle_vector(single, empty, ir.Constant(ir.VectorType(cgutils.int32_t, 64), [0] * 64))


def _address64(builder: Any, start: Any, offset: Any) -> Any:
    """Return the address of 64 elements from an offset on."""
    return builder.bitcast(builder.gep(start, [offset]), ir.VectorType(start.type.pointee, 64).as_pointer())


def _mask64_lt(typing_context: Any, values: Any, start: Any, bound: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        loaded = builder.load(_address64(builder, array.data, arguments[1]))
        # numpy aligns to an element, not to a vector
        loaded.align = _element(values)[1]
        return builder.bitcast(builder.fcmp_ordered("<", loaded, _spread(builder, arguments[2])), ir.IntType(64))

    return types.int64(values, types.int64, values.dtype), generate


def _add_rows64(
    typing_context: Any, matrix: Any, base: Any, stride: Any, row: Any, factor: Any, start: Any, stop: Any, out: Any,
    at: Any, lower: Any,
) -> Any:  # fmt: skip
    element, align = _element(matrix)
    vector, integer = ir.VectorType(element, 64), ir.IntType(64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, rows, factors, sink = (
            context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 3, 4, 7)
        )
        base, stride, start, stop, at, lower = (arguments[i] for i in (1, 2, 5, 6, 8, 9))
        three = ir.FunctionType(vector, [vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, three, f"llvm.fma.v64f{align * 8}")
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * 64))
        with cgutils.for_range_slice(builder, start, stop, ir.Constant(integer, 1), integer) as (p, _):
            index = builder.sext(builder.load(builder.gep(rows, [p])), integer)
            values = builder.load(_address64(builder, source, builder.add(base, builder.mul(stride, index))))
            values.align = align
            spread = _spread(builder, builder.load(builder.gep(factors, [p])))
            builder.store(builder.call(fused, [spread, values, builder.load(total)]), total)
        place = _address64(builder, sink, at)
        with builder.if_then(lower):
            there = builder.load(place)
            there.align = align
            new = builder.load(total)
            builder.store(builder.select(builder.fcmp_ordered("<", new, there), new, there), total)
        builder.store(builder.load(total), place).align = align
        return context.get_dummy_value()

    integers = [types.int64] * 2
    return types.void(matrix, *integers, row, factor, *integers, out, types.int64, types.boolean), generate


def _prefetch(typing_context: Any, values: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), cgutils.voidptr_t)
        integer = cgutils.int32_t
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, integer, integer, integer])
        # for reading, into the second cache, data
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(fetch, [place, integer(0), integer(2), integer(1)])
        return context.get_dummy_value()

    return types.void(values, types.int64), generate


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

mask64_lt = cast(Callable[[NDArray[Any], int, float], int], intrinsic(_mask64_lt))
"""``mask64_lt(values, start, bound)``: bit j tells whether ``values[start + j] < bound``, j = 0 ... 63; NaN never is.

`values`, of float32 or float64, is contiguous and has at least 64 entries from `start` on; nothing is checked.
"""

add_rows64 = cast(
    Callable[[NDArray[Any], int, int, NDArray[np.int32], NDArray[Any], int, int, NDArray[Any], int, bool], None],
    intrinsic(_add_rows64),
)
"""``add_rows64(matrix, base, stride, row, factor, start, stop, out, at, lower)``: 64 sums over rows, in registers.

    out[at + j] = sum over p of factor[p] * matrix[base + stride * row[p] + j],   p = start ... stop - 1,   j = 0 ... 63

each by fma, one position after the other, from 0; with `lower`, where it is below what stands there. `matrix` and `out`
are taken as flat whatever their shape; they and `factor` are all of float32 or all of float64; nothing is checked.
"""

prefetch = cast(Callable[[NDArray[Any], int], None], intrinsic(_prefetch))
"""``prefetch(values, at)``: ask for the cache line of one entry, `values` taken as flat; changes no result."""

trailing_zeros = cast(Callable[[int], int], intrinsic(_trailing_zeros))
"""``trailing_zeros(mask)``: index of the lowest bit that is set; `mask` is not 0."""
