"""The cases in dynamiqs (float64, CPU), jitted, as far as its master-equation solvers go. Run by the interpreter that QDOT_BENCH_DYNAMIQS names.

dynamiqs 0.3.7 has no steady state and its solvers take jump operators, not a tilted generator: the steady state is a linear solve with its superoperator,
and photons are counted in a register. The parameters are arguments, so that the compiler cannot fold a case into a constant.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from benchmarks import cases as c

try:
    import dynamiqs as dq
    import jax
    import jax.numpy as jnp
except ImportError:  # the suite reads names and lines here, and runs the methods elsewhere
    dq = jax = jnp = None  # type: ignore[assignment]
else:
    dq.set_precision("double")
    dq.set_progress_meter(False)


def move(size: int, to: int, start: int) -> Any:
    return dq.basis(size, to) @ dq.basis(size, start).dag()


def w1(pump: Any) -> Any:
    """Steady state by a linear solve with the superoperator, both correlators as one batch under Expm."""
    h, jumps = dq.zeros(4), [jnp.sqrt(rate) * move(4, to, start) for start, to, rate in c.w1_rates(pump)]
    generator = dq.slindbladian(h, jumps).to_jax()
    trace = jnp.eye(4).ravel()
    steady = jnp.linalg.solve(generator.at[0].set(trace), jnp.eye(16)[0]).reshape(4, 4).T
    x, xx = jumps[3], jumps[2]
    after = jnp.stack([(first @ dq.asqarray(steady) @ first.dag()).to_jax() for first in (x, xx)])
    tau = jnp.concatenate([jnp.zeros(1), jnp.asarray(c.DELAYS)])
    seen = x.dag() @ x
    found = dq.mesolve(h, jumps, after, tau, exp_ops=[seen], method=dq.method.Expm(), save_states=False).expects[:, 0, 1:].real
    flux = jnp.trace(after, axis1=1, axis2=2).real
    return jnp.concatenate([jnp.diag(steady).real, (found / (flux * flux[0])[:, None]).ravel()])


@cache
def jitted(function: Any) -> Any:
    return jax.jit(function)


def w1_single() -> np.ndarray:
    return np.asarray(jitted(w1)(c.PUMP))


def w1_sweep() -> np.ndarray:
    return np.concatenate([np.asarray(jitted(w1)(pump)) for pump in c.PUMPS])  # on a CPU faster than jax.vmap


def figures(p: Any) -> Any:
    n = jnp.arange(p.size)
    return jnp.concatenate([p[:5], jnp.stack([n @ p, (n * (n - 1)) @ p / (n @ p) ** 2])])


def w2(area_pi: Any) -> Any:
    """A register counts the photons; 30 lifetimes after the pulse nothing is left."""
    count, end = 8, 6 * c.SIGMA
    lower, up = move(2, 0, 1), dq.sparsedia_from_dict({-1: jnp.ones(count - 1)})
    peak = area_pi * math.pi / (c.SIGMA * math.sqrt(2 * math.pi))
    h = dq.modulated(lambda t: peak * jnp.exp(-0.5 * (t / c.SIGMA) ** 2), dq.tensor(0.5 * (lower + lower.dag()), dq.eye(count)))
    jump = dq.tensor(lower, up)
    start = dq.tensor(dq.basis_dm(2, 0), dq.basis_dm(count, 0))
    method = dq.method.Dopri8(rtol=1e-9, atol=1e-11)
    pulsed = dq.mesolve(h, [jump], start, jnp.array([-end, end]), method=method, save_states=False).final_state
    done = dq.mesolve(dq.zeros(2, count), [jump], pulsed, jnp.array([0.0, 30.0]), method=method, save_states=False).final_state
    return figures(jnp.diag(dq.ptrace(done, 1).to_jax()).real)


def w2_pi() -> np.ndarray:
    return np.asarray(jitted(w2)(1.0))


def w2_2pi() -> np.ndarray:
    return np.asarray(jitted(w2)(2.0))


METHODS = {
    "W1-single": {"dynamiqs, jitted, solve and Expm": (w1_single, w1, jitted, move)},
    "W1-sweep": {"dynamiqs, jitted, solve and Expm": (w1_sweep, w1, jitted, move)},
    "W2-pi": {"dynamiqs, jitted, counter register, Dopri8": (w2_pi, w2, figures, jitted, move)},
    "W2-2pi": {"dynamiqs, jitted, counter register, Dopri8": (w2_2pi, w2, figures, jitted, move)},
}
NOT_RUN = {
    "W3": {
        "dynamiqs, jitted, counter register, Dopri8": "not run: the pulse and 0.1 of the 50 ns after it (256 steps, register of 8) take 40 s; "
        "the rest would be some 90 000 steps more"
    },
}
