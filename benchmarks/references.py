"""The references of W3 and W4, calculated from scratch: `python -m benchmarks.references [w3] [w4-pulse] [w4-cw] [--write]`, ten minutes.

No code of a method is used. The equations of motion are written entry by entry of the density matrix (real parts and imaginary parts of the upper
triangle); only entries that the start reaches and that a population sees are kept. Counting sectors: sector n is fed by the photons of sector n - 1.

Pulse: Taylor series in extended precision (64 bits of mantissa: x86 processors), then the tail to infinity, in which the ground state absorbs, by LU
with residuals in extended precision. Done with two lengths of step, and once more in double precision by DOP853 at rtol 1e-13.
Continuous light: steady state and exponential by ball arithmetic (python-flint, 128 bits), whose radius bounds the error;
once more in double precision by a sparse LU and dense eigenvectors, and by scaling and squaring.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg as sl
import scipy.sparse as sp
from scipy.integrate import solve_ivp
from scipy.sparse.linalg import splu

from benchmarks import cases as c

Entry = tuple[bool, int, int]
"""(imaginary part, row, column), row <= column."""


# ------------------------------------------------------------------------------------------------- equations of motion


@dataclass
class Scheme:
    """Levels G, X_H, X_V, XX and modes of c.FOCK number states, as the cases state them. number: what a double becomes (arb, extended precision)."""

    modes: str
    pump: float
    number: Callable[[Any], Any]
    root: Callable[[Any], Any]

    def __post_init__(self) -> None:
        self.fock = [c.FOCK if mode in self.modes else 1 for mode in "HV"]
        self.size = 4 * math.prod(self.fock)
        self.static: list[dict[int, Any]] = [{} for _ in range(self.size)]
        self.driven: list[dict[int, Any]] = [{} for _ in range(self.size)]
        self.jumps: list[dict[int, tuple[int, Any]]] = []  # {from: (to, amplitude)}; the modes' jumps first
        number, g = self.number, self.number(c.G_CAVITY)
        level, (n_h, n_v) = ("G", "H", "V", "XX"), self.fock

        def state(name: str, h: int, v: int) -> int:
            return (level.index(name) * n_h + h) * n_v + v

        every = [(h, v) for h in range(n_h) for v in range(n_v)]
        for name, energy in (("G", 0.0), ("H", c.E_H), ("V", c.E_V), ("XX", 0.0)):
            for h, v in every:
                self.static[state(name, h, v)][state(name, h, v)] = number(energy) + number(c.E_H) * (h + v)
        for lower, upper in (("G", "H"), ("H", "XX")):
            for h, v in every:
                self._hermitian(self.driven, state(lower, h, v), state(upper, h, v), number(0.5))
                if h + 1 < n_h:
                    self._hermitian(self.static, state(lower, h + 1, v), state(upper, h, v), g * self.root(number(h + 1)))
        for lower, upper in (("G", "V"), ("V", "XX")):
            for h, v in every:
                if v + 1 < n_v:
                    self._hermitian(self.static, state(lower, h, v + 1), state(upper, h, v), g * self.root(number(v + 1)))
        kappa, levels = number(c.KAPPA), level
        for mode in self.modes:
            step = (1, 0) if mode == "H" else (0, 1)
            leaving = {}
            for name in levels:
                for h, v in every:
                    if (h, v)[mode == "V"] > 0:
                        leaving[state(name, h, v)] = (state(name, h - step[0], v - step[1]), self.root(kappa * (h, v)[mode == "V"]))
            self.jumps.append(leaving)
        rates = [(a, b, 1.0) for a, b in (("XX", "H"), ("XX", "V"), ("H", "G"), ("V", "G"))]
        if self.pump:
            rates += [(a, b, self.pump) for a, b in (("G", "H"), ("G", "V"), ("H", "XX"), ("V", "XX"))]
        for a, b, rate in rates:
            self.jumps.append({state(a, h, v): (state(b, h, v), self.root(number(rate))) for h, v in every})
        self.loss = [number(0.0)] * self.size
        for jump in self.jumps:
            for start, (_, amplitude) in jump.items():
                self.loss[start] = self.loss[start] + amplitude * amplitude

    @staticmethod
    def _hermitian(where: list[dict[int, Any]], a: int, b: int, value: Any) -> None:
        where[a][b] = value
        where[b][a] = value

    def _turned(self, h: list[dict[int, Any]], entry: Entry) -> Iterator[tuple[Entry, Any]]:
        """-i [H, rho] of one entry: real parts feed imaginary ones and the other way round."""
        imaginary, i, j = entry
        for a, b, sign in ((i, j, 1), (j, i, -1 if imaginary else 1))[: 1 if i == j else 2]:
            left = sign if imaginary else -sign
            for m, value in h[a].items():
                if m < b or (m == b and imaginary):  # the upper triangle; a diagonal has no imaginary part
                    yield (not imaginary, m, b), value * left
            for m, value in h[b].items():
                if a < m or (a == m and imaginary):
                    yield (not imaginary, a, m), value * -left

    def feeds(self, entry: Entry) -> Iterator[tuple[str, Entry, Any]]:
        """(part, entry, rate) of everything that one entry feeds; parts: "static", "driven" and the modes' light."""
        imaginary, i, j = entry
        for to, value in self._turned(self.static, entry):
            yield "static", to, value
        for to, value in self._turned(self.driven, entry):
            yield "driven", to, value
        yield "static", entry, (self.loss[i] + self.loss[j]) * self.number(-0.5)
        for k, jump in enumerate(self.jumps):
            if i in jump and j in jump:
                (a, left), (b, right) = jump[i], jump[j]
                turned = a > b  # the upper triangle stands for both
                to = (imaginary, b, a) if turned else (imaginary, a, b)
                yield self.modes[k] if k < len(self.modes) else "static", to, left * right * (-1 if turned and imaginary else 1)


@dataclass
class Equations:
    """{part: [(row, column, rate)]} on the entries kept; `ground` is the entry of the ground state, `trace` those of all populations."""

    entries: list[Entry]
    parts: dict[str, list[tuple[int, int, Any]]]

    @property
    def ground(self) -> int:
        return self.entries.index((False, 0, 0))

    @property
    def trace(self) -> list[int]:
        return [k for k, (_, i, j) in enumerate(self.entries) if i == j]

    def matrix(self, *parts: str) -> sp.csr_array:
        """The sum of parts, in extended precision."""
        rows, columns, values = zip(*(e for part in parts for e in self.parts[part]), strict=True)
        n = len(self.entries)
        return sp.coo_array((np.array([np.longdouble(v) for v in values]), (rows, columns)), shape=(n, n)).tocsr()


def closure(start: set[Any], edges: dict[Any, set[Any]]) -> set[Any]:
    """Everything that can be got to from start."""
    found, new = set(start), list(start)
    while new:
        for to in edges.get(new.pop(), ()):
            if to not in found:
                found.add(to)
                new.append(to)
    return found


def equations(scheme: Scheme, driven: bool, start: set[Entry] | None = None) -> Equations:
    """Assembled on the entries that the start (the ground state) reaches and that reach a population."""
    allowed = {"static", "driven", *scheme.modes} if driven else {"static", *scheme.modes}
    forward: dict[Entry, set[Entry]] = {}
    back: dict[Entry, set[Entry]] = {}
    feeds: dict[Entry, list[tuple[str, Entry, Any]]] = {}
    start = {(False, 0, 0)} if start is None else start
    new, reached = list(start), set(start)
    while new:
        entry = new.pop()
        feeds[entry] = [f for f in scheme.feeds(entry) if f[0] in allowed]
        for _, to, _ in feeds[entry]:
            forward.setdefault(entry, set()).add(to)
            back.setdefault(to, set()).add(entry)
            if to not in reached:
                reached.add(to)
                new.append(to)
    kept = sorted(closure({e for e in reached if e[1] == e[2]}, back))
    index = {e: k for k, e in enumerate(kept)}
    parts: dict[str, list[tuple[int, int, Any]]] = {part: [] for part in allowed}
    for entry in kept:
        for part, to, value in feeds[entry]:
            if to in index:
                parts[part].append((index[to], index[entry], value))
    return Equations(kept, parts)


# ------------------------------------------------------------------------------------------------- pulsed


def shifted(light: sp.csr_array, x: np.ndarray) -> np.ndarray:
    """What the photons of each sector feed the next."""
    fed = light @ x
    return np.concatenate([np.zeros_like(fed[:, :1]), fed[:, :-1]], axis=1)


def taylor_pulse(silent: sp.csr_array, driven: sp.csr_array, light: sp.csr_array, y: np.ndarray, half_width: int, steps: int) -> np.ndarray:
    """Through the pulse, each step a Taylor series summed until its terms are below 1e-21."""
    real = np.longdouble
    sigma = real(c.SIGMA_3)
    width = 2 * half_width * sigma / steps
    k = width / sigma
    for step in range(steps):
        u = -half_width + step * k
        w, terms, total, small = [real(c.RABI) * np.exp(-u * u / 2)], [y], y.copy(), 0
        w.append(-u * k * w[0])
        for n in range(200):
            turned = sum(w[j] * terms[n - j] for j in range(min(n + 1, len(w))) if abs(w[j]) > 1e-25 * c.RABI)
            d = silent @ terms[n] + shifted(light, terms[n]) + driven @ np.asarray(turned)
            terms.append(d * (width / (n + 1)))
            w.append((-u * k * w[-1] - k * k * w[-2]) / len(w))
            total += terms[-1]
            small = small + 1 if np.max(np.abs(terms[-1])) < 1e-21 else 0
            if small == 3:
                break
        else:
            raise ValueError("the Taylor series needs a shorter step")
        y = total
    return y


def dop853_pulse(silent: sp.csr_array, driven: sp.csr_array, light: sp.csr_array, y: np.ndarray, half_width: int, _: int) -> np.ndarray:
    """The same in double precision by an adaptive method."""
    silent, driven, light = (m.astype(float) for m in (silent, driven, light))

    def slope(t: float, flat: np.ndarray) -> np.ndarray:
        x = flat.reshape(y.shape)
        return (silent @ x + shifted(light, x) + c.RABI * math.exp(-0.5 * (t / c.SIGMA_3) ** 2) * (driven @ x)).ravel()

    end = half_width * c.SIGMA_3
    return solve_ivp(slope, (-end, end), y.astype(float).ravel(), method="DOP853", rtol=1e-13, atol=1e-17).y[:, -1].reshape(y.shape).astype(np.longdouble)


def refined(m: sp.csr_array) -> Callable[[np.ndarray], np.ndarray]:
    """Solves m x = b by LU in double precision, corrected until extended precision is reached."""
    lu = sl.lu_factor(m.astype(float).toarray())

    def solve(b: np.ndarray) -> np.ndarray:
        x = np.zeros_like(b)
        for _ in range(12):
            change = sl.lu_solve(lu, (b - m @ x).astype(float)).astype(np.longdouble)
            x = x + change
        if np.max(np.abs(change)) > 1e-18 * np.max(np.abs(x)):
            raise ValueError("the refinement of a solution stopped early")
        return x

    return solve


def counted(modes: str, mode: str, half_width: int, sectors: int, steps: int, moments: bool, through: Callable[..., np.ndarray] = taylor_pulse) -> np.ndarray:
    """P(0..sectors-1) of a mode's light, or (with moments) [1, mean, <n(n-1)>/2, ...]."""
    scheme = Scheme(modes, 0.0, np.longdouble, np.sqrt)
    eq = equations(scheme, driven=True)
    others = [m for m in modes if m != mode]
    whole = ("static", *modes) if moments else ("static", *others)
    y = np.zeros((len(eq.entries), sectors), dtype=np.longdouble)
    y[eq.ground, 0] = 1
    y = through(eq.matrix(*whole), eq.matrix("driven"), eq.matrix(mode), y, half_width, steps)
    after = equations(scheme, driven=False, start=set(eq.entries))
    place = {e: k for k, e in enumerate(eq.entries)}
    x = y[[place[e] for e in after.entries]]
    ground = after.ground
    rest = [k for k in range(len(after.entries)) if k != ground]
    still, light = after.matrix(*whole), after.matrix(mode)
    solve = refined(-still[rest][:, rest])
    found = np.zeros(sectors, dtype=np.longdouble)
    stay = np.zeros(len(rest), dtype=np.longdouble)
    for n in range(sectors):
        from_before = light[:, rest] @ stay
        stay = solve(x[rest, n] + from_before[rest])
        found[n] = x[ground, n] + from_before[ground] + (still[[ground]][:, rest] @ stay)[0]
    return found


def show(name: str, value: np.ndarray, others: dict[str, np.ndarray]) -> None:
    """Digits, and how far the checks are from them."""
    print(f"   {name}: " + ", ".join(np.format_float_scientific(v, precision=17, unique=False) for v in value))
    for what, other in others.items():
        print(f"      {what}: largest deviation {np.max(np.abs(other - value)):.1e}, relative {np.max(np.abs(other / value - 1)):.1e}")


def figures(p: np.ndarray) -> np.ndarray:
    """Mean and g2 from P(n)."""
    n = np.arange(p.size)
    return np.array([n @ p, (n * (n - 1)) @ p / (n @ p) ** 2])


def pulsed(modes: str) -> None:
    """W3 and W4-pulse at both half-widths."""
    sectors = 12 if modes == "H" else 5
    for mode in modes:
        found = {}
        for half_width in (6, 8):
            steps = 48 * half_width
            t = time.perf_counter()
            found[half_width] = p = counted(modes, mode, half_width, sectors, steps, False)
            others = {"steps 3/4 as long": counted(modes, mode, half_width, sectors, steps * 4 // 3, False)[:5]}
            others["DOP853 in double precision"] = counted(modes, mode, half_width, sectors, 0, False, dop853_pulse)[:5]
            print(f"   mode {mode}, pulse from -{half_width} to {half_width} sigma, {time.perf_counter() - t:.0f} s")
            show("P(0..4)", p[:5], others)
            if modes == "H":
                _, mean, pairs = counted(modes, mode, half_width, 3, steps, True)
                show("mean and g2", np.array([mean, 2 * pairs / mean**2]), {"from P(0..11)": figures(p)})
        print(f"   mode {mode}: 8 sigma differ from 6 sigma by at most {np.max(np.abs(found[8] - found[6])[:5]):.1e}")


# ------------------------------------------------------------------------------------------------- continuous


def continuous(write: bool) -> None:
    """W4-cw: g2 of mode H."""
    import flint

    flint.ctx.prec = 128
    arb = flint.arb
    t0 = time.perf_counter()
    scheme = Scheme("HV", c.PUMP_4, lambda v: arb(v), lambda v: arb(v).sqrt())
    eq = equations(scheme, driven=False)
    n = len(eq.entries)
    print(f"   {n} entries")

    def balls(*parts: str) -> Any:
        m = flint.arb_mat(n, n)
        for part in parts:
            for i, j, value in eq.parts[part]:
                m[i, j] += value
        return m

    m, light = balls("static", *scheme.modes), balls("H")
    a, b = flint.arb_mat(m), flint.arb_mat(n, 1)
    for j in range(n):
        a[eq.ground, j] = int(j in set(eq.trace))
    b[eq.ground, 0] = 1
    steady = a.solve(b)
    print(f"   steady state after {time.perf_counter() - t0:.0f} s")
    seen = flint.arb_mat(1, n, [int(j in set(eq.trace)) for j in range(n)]) * light
    flux = (seen * steady)[0, 0]
    v = light * steady
    # each delay = whole multiple of 2**-14 ns + rest: the rest by a Taylor series, the multiple by squarings
    unit = 2.0**-14
    whole = np.floor(c.CW_DELAYS / unit).astype(int)
    rest = c.CW_DELAYS - whole * unit
    terms = 60
    columns = flint.arb_mat(n, terms)
    for k in range(terms):
        for i in range(n):
            columns[i, k] = v[i, 0]
        v = m * v / (k + 1)
    state = columns * flint.arb_mat(terms, c.CW_DELAYS.size, [arb(float(r)) ** k for k in range(terms) for r in rest])
    power = (m * arb(unit)).exp()
    for bit in range(int(whole.max()).bit_length()):
        at = [int(i) for i in np.flatnonzero(whole >> bit & 1)]
        if at:
            moved = power * flint.arb_mat(n, len(at), [state[i, j] for i in range(n) for j in at])
            for k, j in enumerate(at):
                for i in range(n):
                    state[i, j] = moved[i, k]
        power = power * power
    g2 = seen * state
    values = [g2[0, j] / (flux * flux) for j in range(c.CW_DELAYS.size)]
    print(
        f"   ball arithmetic: {time.perf_counter() - t0:.0f} s, largest radius relative to the value {max(float(x.rad() / abs(x.mid())) for x in values):.1e}"
    )
    exact = np.array([float(x.mid()) for x in values])
    print(f"   flux of H {float(flux.mid())} per ns, g2 {exact[0]} ... {exact[-1]}, smallest {exact.min()}, largest {exact.max()}")

    # double precision
    still, emitted = eq.matrix("static", *scheme.modes).astype(float), eq.matrix("H").astype(float)
    trace = np.zeros(n)
    trace[eq.trace] = 1
    closed = still.tolil()
    closed[eq.ground] = trace
    x = splu(sp.csc_matrix(closed)).solve(np.eye(1, n, eq.ground)[0])
    start, see = emitted @ x, trace @ emitted
    w, vectors = np.linalg.eig(still.toarray())
    weight = (see @ vectors) * np.linalg.solve(vectors, start)
    by_eig = (np.exp(np.outer(c.CW_DELAYS, w)) @ weight).real / (see @ x) ** 2
    some = np.arange(0, c.CW_DELAYS.size, 25)
    by_expm = np.array([see @ sl.expm(still.toarray() * c.CW_DELAYS[k]) @ start for k in some]) / (see @ x) ** 2
    print(f"      sparse LU and eigenvectors: largest relative deviation {np.max(np.abs(by_eig / exact - 1)):.1e}")
    print(f"      scaling and squaring at every 25th delay: {np.max(np.abs(by_expm / exact[some] - 1)):.1e}")
    if write:
        path = Path(__file__).parent / "w4_cw_g2.txt"
        head = "# g2 of mode H at np.logspace(-4, 2, 500) ns, written by `python -m benchmarks.references w4-cw --write`\n"
        path.write_text(head + "\n".join(repr(float(v)) for v in exact) + "\n")
        print(f"   written: {path.name}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.references", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", metavar="w3 | w4-pulse | w4-cw")
    parser.add_argument("--write", action="store_true", help="write w4_cw_g2.txt")
    args = parser.parse_args()
    every = ["w3", "w4-pulse", "w4-cw"]
    if unknown := set(args.what) - set(every):
        parser.error(f"no such reference: {', '.join(sorted(unknown))}")
    for name in args.what or every:
        print(name)
        if name == "w4-cw":
            continuous(args.write)
        else:
            pulsed("H" if name == "w3" else "HV")


if __name__ == "__main__":
    main()
