"""Models that users bring as QuTiP operators (or any arrays): H, jump operators and the labels of their photons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from qdot.drive import Drive
from qdot.errors import InputError, bad
from qdot.model import HamiltonianOperator, JumpOperator, Model, operator


def from_qutip(H: Any, c_ops: Sequence[Any], channels: Mapping[str, Sequence[int]], start: Any = None) -> tuple[Model, tuple[Drive, ...]]:
    """A model from QuTiP operators: H in rad/ns (a Qobj, or a list [H0, [A, drive], ...]), c_ops in root of 1/ns.

    A driven term is A Re e(t) if A is Hermitian and A e(t) + h.c. otherwise, e the drive's complex envelope.

    channels: {label: indices into c_ops} of the jumps whose photons are counted; start: ket or density matrix (default: the first basis state).
    Returns the model, whose levels are the basis states "0", "1", ..., and the drives found in H.
    """
    parts = list(H) if isinstance(H, list | tuple) else [H]
    drives: list[Drive] = []
    h0 = None
    couplings: list[HamiltonianOperator] = []
    for part in parts:
        if isinstance(part, list | tuple):
            given, d = part
            if not isinstance(d, Drive):
                must = "give each time-dependent term as [operator, qdot drive]"
                raise bad("from_qutip H", must, type(d).__name__, "use for example qdot.drive.Gaussian(...)")
            if any(d.name == e.name and d is not e for e in drives):
                raise bad("from_qutip H", "use a different name for each drive", repr(d.name), "set name=...")
            if d not in drives:
                drives.append(d)
            a = operator(given, "from_qutip H")
            is_hermitian = abs(a - a.conj().T).max() <= 1e-14 * abs(a).max()
            couplings.append(HamiltonianOperator((a / 2 if is_hermitian else a).tocsr(), d.name))
        else:
            m = operator(part, "from_qutip H")
            h0 = m if h0 is None else h0 + m
    size = couplings[0].matrix.shape[0] if h0 is None and couplings else (h0.shape[0] if h0 is not None else 0)
    if h0 is None:
        h0 = sp.csr_array((size, size), dtype=complex)
    named: dict[int, str] = {}
    for label, indices in channels.items():
        if isinstance(indices, int | str):
            raise bad(f"from_qutip channels[{label!r}]", "be a list of indices into c_ops", repr(indices), f"for example [{indices}]")
        for k in indices:
            if not 0 <= k < len(c_ops):
                raise bad(f"from_qutip channels[{label!r}]", f"hold indices 0 .. {len(c_ops) - 1} into c_ops", k)
            if k in named:
                raise InputError(f"from_qutip channels must use each jump once, got c_ops[{k}] in {named[k]!r} and {label!r}; remove one of them")
            named[k] = label
    jumps = []
    for k, c in enumerate(c_ops):
        m = operator(c, f"from_qutip c_ops[{k}]")
        if m.shape != h0.shape:
            raise bad(f"from_qutip c_ops[{k}]", f"have the shape of H, {h0.shape}", m.shape)
        jumps.append(JumpOperator(m, named.get(k)))
    rho = None
    if start is not None:
        full = np.asarray(start.full() if hasattr(start, "full") else start, dtype=complex)
        rho = full @ full.conj().T if full.shape[1] == 1 else full
        if rho.shape != h0.shape or not np.isclose(np.trace(rho).real, 1.0, rtol=1e-9, atol=0):
            raise bad("from_qutip start", f"be a normalised ket or density matrix of dimension {size}", f"shape {rho.shape}, trace {np.trace(rho).real:g}")
    static = (HamiltonianOperator(h0.tocsr()),)
    return Model(tuple(str(i) for i in range(size)), rho, jumps=tuple(jumps), couplings=(*couplings, *static)), tuple(drives)
