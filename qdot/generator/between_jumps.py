"""The wave function of a model between two quantum jumps, bound to its drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qdot.drive import Drive
from qdot.evolve import Matrix
from qdot.generator.fields import analysed
from qdot.generator.pictures import Generator, Part, level_rows
from qdot.generator.timeline import Timeline, bound, in_frame
from qdot.model import Channel, JumpOperator, Model
from qdot.polarisation import Polarisation


def between_jumps(model: Model, drives: Sequence[Drive], analysis: Mapping[str, Polarisation] | None = None) -> tuple[Timeline, tuple[JumpOperator, ...]]:
    """dpsi/dt = (-iH - sum c^dag c / 2) psi as a timeline, and the jump operators c.

    In the timeline x is psi (n,), complex: `silent` and what envelopes multiply are (n, n); the light of Channel(str(k)) is how strongly jump k
    acts, a (1, 1) matrix. drives, analysis: as `under` took them for the same model.
    Source: Dalibard, Castin, Molmer, Phys. Rev. Lett. 68, 580 (1992).
    """
    ops, _ = in_frame(analysed(model.operators(), analysis or {}), drives)
    n = ops.start.shape[0]
    silent = -1j * ops.hamiltonian.toarray()
    driven: dict[tuple[str, Part], Matrix] = {}
    weights: dict[Channel, Matrix] = {}
    driven_weights: dict[tuple[str, Channel], Matrix] = {}

    def add(drive: str, part: Part, m: np.ndarray) -> None:
        driven[drive, part] = driven[drive, part] + m if (drive, part) in driven else m

    for term in ops.driven:
        a = term.matrix.toarray()
        kind = "field" if term.envelope == "field" else "two_photon"
        add(str(term.drive), f"{kind}_re", -1j * (a + a.conj().T))  # type: ignore[arg-type]
        add(str(term.drive), f"{kind}_im", a - a.conj().T)  # type: ignore[arg-type]
    for k, j in enumerate(ops.jumps):
        c, number = j.matrix.toarray(), Channel(str(k))
        loss = -0.5 * (c.conj().T @ c)
        if j.drive is None:
            silent = silent + loss
            weights[number] = np.ones((1, 1))
        else:
            add(j.drive, "intensity", loss)
            driven_weights[j.drive, number] = np.ones((1, 1))
    start = np.diag(ops.start).real.copy()
    generator = Generator("lindblad", model, silent, driven, weights, driven_weights, np.ones(n), start, level_rows(ops.level_of, n), ops.top_fock)
    return bound(generator, model, drives), ops.jumps
