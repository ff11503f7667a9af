"""numba's compiler without the work that the engine has no use for; what it makes is the same to the bit.

Three things: functions that end in the code of their callers get no machine code of their own, a function called from callers
that differ only in how Python reaches them is compiled once, and nobody looks for garbage meanwhile.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering, NopythonRewrites


class _Code(JITCodeLibrary):  # type: ignore[misc]
    """LLVM's modules of one function."""

    def _optimize_functions(self, module: Any) -> None:
        """One manager of passes for all functions that have a body; numba makes one for each name that is mentioned."""
        module.data_layout = self._codegen._data_layout
        manager, builder = self._codegen._function_pass_manager()
        for function in module.functions:
            if not function.is_declaration:
                manager.run(function, builder)


class _LinkedCode(_Code):
    """Code that ends in that of its callers: optimised, and never made machine code of by itself."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """No address: there is nothing to call."""
        return 0


class _Inherited(Flags):  # type: ignore[misc]
    """What a function leaves to those it calls, which numba looks them up by: nothing of how the function itself is called."""

    def __init__(self, flags: Flags) -> None:
        super().__init__(flags)
        self.no_cpython_wrapper = self.no_cfunc_wrapper = True
        self.release_gil = self.no_compile = False
        self._hash: int = super().__hash__()  # numba asks for it at every call of a function

    def __hash__(self) -> int:
        return self._hash

    def copy(self) -> Flags:
        return Flags(self)


#: With and without the counting of references.
_inherited: dict[bool, _Inherited] = {}


class _OwnFlags(Flags):  # type: ignore[misc]
    """Flags of a function being compiled."""

    def copy(self) -> Flags:
        """What numba keeps for the functions called."""
        return _inherited.setdefault(self.nrt, _Inherited(self))

    def values(self) -> dict[str, Any]:
        """Those that were set; numba asks for all, before every pass, to tell whoever listens."""
        values: dict[str, Any] = self._values
        return values


@register_pass(mutates_CFG=True, analysis_only=False)
class _LinkedLowering(NativeLowering):  # type: ignore[misc]
    """As numba's, for functions that only others call, which find them by an object that cannot be called."""

    _name = "topdown_linked_lowering"

    def run_pass(self, state: Any) -> bool:
        library = state.library = _LinkedCode(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        described = lowered.fndesc
        token = _dynfunc.make_function(
            described.lookup_module(), described.qualname.rpartition(".")[2], "", 0, lowered.env, (library,)
        )
        state.targetctx.insert_user_function(token, described, [library])
        state.reload_init.extend(library._reload_init)
        state["cr"] = lowered._replace(cfunc=token)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _CalledLowering(NativeLowering):  # type: ignore[misc]
    """As numba's, for functions that are called by their address."""

    _name = "topdown_called_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _Code(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        super().run_pass(state)
        return True


class CalledCompiler(CompilerBase):  # type: ignore[misc]
    """Compiles what Python or a kernel calls by its address."""

    lowering: type[NativeLowering] = _CalledLowering

    def __init__(
        self, typing: Any, target: Any, library: Any, arguments: Any, returned: Any, flags: Flags, local_types: Any
    ) -> None:
        super().__init__(typing, target, library, arguments, returned, _OwnFlags(flags), local_types)

    def define_pipelines(self) -> list[PassManager]:
        """numba's passes but for one that fuses expressions of whole arrays, of which the engine has none."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (self.lowering if one is NativeLowering else one, text)
            for one, text in manager.passes
            if one is not NopythonRewrites
        ]
        manager.finalize()
        return [manager]

    def compile_extra(self, function: Any) -> Any:
        """Compile a function."""
        with _collector_off():
            return super().compile_extra(function)


class LinkedCompiler(CalledCompiler):
    """Compiles what ends in the code of its callers."""

    lowering = _LinkedLowering


@contextmanager
def _collector_off() -> Iterator[None]:
    """No looking for garbage among the many objects of a compilation, nearly all of which stay: an eighth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
