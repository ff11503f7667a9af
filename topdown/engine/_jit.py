"""Compile flags and the cache of compiled code: the one place that decides either.

Compiled kernels live in the user's cache folder, in a sub-folder named by a hash of every engine source, of the numba and
llvmlite versions, of the processor's features and of the vectors' width; numba alone would not notice a kernel edited in
another file.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
from llvmlite import ir
from numba import cfunc, config, njit, typeof, types
from numba.extending import intrinsic, overload, register_jitable
from numba.np import linalg

from topdown.engine import _registers
from topdown.resources import cache_folder

Function = TypeVar("Function", bound=Callable[..., object])

_declaring = threading.RLock()
#: How many functions of one name were declared, by module and name.
_namesakes: Counter[tuple[str, str]] = Counter()
#: No reassociation, so that results do not depend on the optimiser.
_FLAGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
_CALLED: dict[str, Any] = dict(_FLAGS)
_LINKED: dict[str, Any] = {"no_cfunc_wrapper": True, **_FLAGS}
#: Releases of numba whose compiler ``_compiler.py`` knows from inside. With others numba's own does the work: it takes longer,
#: and what it makes is the same.
KNOWN_RELEASES = ("0.68",)
IS_KNOWN = numba.__version__.rpartition(".")[0] in KNOWN_RELEASES
if IS_KNOWN:
    from topdown.engine._compiler import CalledCompiler, LinkedCompiler

    _CALLED["pipeline_class"], _LINKED["pipeline_class"] = CalledCompiler, LinkedCompiler


def _load_array_functions() -> None:
    """Load what numba would load before it runs the first kernel, without SciPy's linear algebra.

    numba imports that, a third of the time from a process's start to its first step, to learn whether it is there. It is: the
    package depends on it. Whoever uses a function that needs it has numba import it then.
    """
    asks, linalg.ensure_blas = linalg.ensure_blas, lambda: None
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = asks


if IS_KNOWN:
    _load_array_functions()


@cache
def engine_version() -> str:
    """Sixteen hexadecimal digits that change with the engine's sources, its NumPy twins apart."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(set(folder.glob("*.py")) - set(folder.glob("reference*.py"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def engine_hash() -> str:
    """Sixteen hexadecimal digits that change with the engine's version, numba, llvmlite, processor and width of vectors."""
    features = f"{config.CPU_NAME}|{config.CPU_FEATURES}|{'|'.join(processor())}|{_registers.WIDTH}"
    text = f"{engine_version()}|{numba.__version__}|{llvmlite.__version__}|{features}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def processor() -> tuple[str, str]:
    """LLVM's name of the processor, and the instruction sets it has (``+avx2,+fma,…``)."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name()), str(llvm.get_host_cpu_features().flatten())


@cache
def _kernel_cache() -> str:
    folder = cache_folder() / "kernels" / engine_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        fallback = Path(tempfile.gettempdir()) / f"topdown-kernels-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        warnings.warn(f"cannot write to {folder}; compiled kernels go to {fallback}", stacklevel=2)
        folder = fallback / engine_hash()
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def _told_apart(function: Function) -> Function:
    """Number the functions that a factory makes, in the order in which it makes them.

    In compiled code a function is known by its name, its types, and a number that numba counts anew in each process. Of two
    namesakes that were compiled in different processes and are loaded from the cache, one could be called for the other.
    """
    name = function.__module__, function.__qualname__
    _namesakes[name] += 1
    if _namesakes[name] > 1:
        function.__qualname__ += f"_{_namesakes[name]}"
    return function


def kernel(function: Function) -> Function:
    """Compile ``function``, which Python calls, with the engine's flags and keep its code in the cache.

    Always call it with arguments of the same types (no literals from another kernel: each is a type of its own): one version per
    kernel is compiled then, and processes that compile at the same time write the same files.
    """
    with _caching():
        compiled: Function = njit(cache=True, nogil=True, no_cfunc_wrapper=True, **_CALLED)(_told_apart(function))
    return compiled


def helper(function: Function) -> Function:
    """Let kernels call ``function``, compiled with the engine's flags; called from Python it stays the plain function it is.

    Compiling a kernel means a wrapper that unpacks its arguments and files in the cache; a helper needs neither, so whatever
    only kernels call should be one.
    """
    compilable: Function = register_jitable(**_LINKED)(_told_apart(function))
    return compilable


def shared(function: Function) -> Function:
    """A kernel for Python that is a helper for other kernels, whose arguments are of other types: each has its own version."""
    compiled = kernel(function)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return compiled(*arguments)

    call.kernel = compiled  # type: ignore[attr-defined]
    overload(call, jit_options=_LINKED, strict=False)(lambda *arguments: function)
    return cast(Function, call)


class Part:
    """A function that kernels call by its address: compiled once, apart from them, and only when it is needed.

    What a kernel calls otherwise is compiled into it again, however often that was done before. A part takes records and
    numbers, no booleans, and returns a whole number.
    """

    def __init__(self, function: Callable[..., int]) -> None:
        self.function = function
        self._compiled: dict[Any, Any] = {}

    def address(self, kinds: tuple[Any, ...]) -> int:
        """Where the version for arguments of these types (:func:`kind_of`) is."""
        if kinds not in self._compiled:
            with _caching():
                self._compiled[kinds] = cfunc(types.int64(*kinds), cache=True, **_CALLED)(self.function)
        return int(self._compiled[kinds].address)


def part(function: Callable[..., int]) -> Part:
    """Make a :class:`Part` of ``function``."""
    return Part(function)


def kind_of(value: Any) -> Any:
    """numba's type of a value."""
    return typeof(value)


@intrinsic
def call_part(typing: Any, address: Any, arguments: Any) -> Any:
    """The whole number that the :class:`Part` at ``address`` returns for a tuple of ``arguments``."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        whole, given = ir.IntType(64), [builder.extract_value(values[1], k) for k in range(len(arguments))]
        kind = ir.FunctionType(whole, [value.type for value in given])
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), given)

    return types.int64(types.int64, arguments), generate


@contextmanager
def _caching() -> Iterator[None]:
    """While functions are declared to numba: where their compiled code is kept."""
    with _declaring:
        previous = config.CACHE_DIR
        if not os.environ.get("NUMBA_CACHE_DIR"):
            config.CACHE_DIR = _kernel_cache()
        try:
            yield
        finally:
            config.CACHE_DIR = previous


def uncounted(function: Function) -> Function:
    """As :func:`helper`, for functions that make no arrays: without the counting of references to those they are given.

    Counting is an atomic operation wherever an array gets another name, on the way into every innermost loop for instance.
    """
    compilable: Function = register_jitable(_nrt=False, **_LINKED)(_told_apart(function))
    return compilable


def inlined(function: Function) -> Function:
    """As :func:`helper`, written into the text of its caller: for innermost loops that share a dozen arrays with it.

    Compiled each time it is used; a call otherwise counts references to every array it hands on.
    """
    compiled: Function = njit(nogil=True, inline="always", **_FLAGS)(function)
    return compiled
