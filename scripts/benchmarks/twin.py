"""Builds `twin.cpp` with the system's compilers and calls it: what a C++ engine would reach on this machine."""

from __future__ import annotations

import ctypes
import inspect
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.kernels import special

COMPILERS = ("g++", "clang++")
# nothing that changes a result: no -ffast-math, which would also set flush-to-zero for the whole process
OPTIONS = ("-O3", "-march=native", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Twin:
    """The C++ kernels as one compiler made them."""

    compiler: str
    library: ctypes.CDLL

    def price(
        self, strikes: Vector, log_strikes: Vector, scenarios: tuple[Vector, Vector, Vector], out: Vector
    ) -> Vector:
        """Fill `out`, shape (strikes, scenarios); scenarios are forward, its logarithm and the variance."""
        self.library.twin_price(
            _at(strikes), _at(log_strikes), ctypes.c_long(strikes.size), *(_at(each) for each in scenarios),
            ctypes.c_long(out.shape[1]), _at(out),
        )  # fmt: skip
        return out

    def shortfall(self, tiles: NDArray, book: tuple, need: int, mass: float, out: Vector) -> Vector:
        """Fill `out` with expected shortfalls; tiles have 128 scenarios in float64 and 256 in float32."""
        call = self.library.twin_tail64 if tiles.dtype == np.float64 else self.library.twin_tail32
        indptr, instrument, quantity = book
        call(
            _at(tiles), ctypes.c_long(tiles.shape[0]), ctypes.c_long(tiles.shape[1]), _at(indptr), _at(instrument),
            _at(quantity), ctypes.c_long(out.size), ctypes.c_int(need), ctypes.c_double(mass), _at(out),
        )  # fmt: skip
        return out


def _at(array: NDArray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def twins() -> tuple[Twin, ...]:
    """Build with each compiler that is installed; none gives an empty tuple."""
    found = [name for name in COMPILERS if shutil.which(name)]
    return tuple(Twin(name, _build(name)) for name in found)


def _build(compiler: str) -> ctypes.CDLL:
    source = Path(__file__).with_name("twin.cpp")
    numerator, denominator = _coefficients(special.mills_numerator), _coefficients(special.mills_denominator)
    macros = f"-DNUMERATOR={numerator}", f"-DDENOMINATOR={denominator}"
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "twin.so"
        width = ("-mprefer-vector-width=512",) if "avx512f" in Path("/proc/cpuinfo").read_text() else ()
        subprocess.run([compiler, *OPTIONS, *width, *macros, str(source), "-o", str(target)], check=True)
        return ctypes.CDLL(str(target))


def _coefficients(kernel: object) -> str:
    """Return a polynomial's coefficients, lowest power first, read from the text of our kernel."""
    text = inspect.getsource(kernel.py_func)  # type: ignore[attr-defined]
    pairs = re.findall(r"fma\(y, ([\d.e-]+), ([\d.e-]+)\)", text)
    last = re.findall(r"fma\(y4, ([\d.e-]+),", text)
    return ",".join([number for high, low in pairs for number in (low, high)] + last)
