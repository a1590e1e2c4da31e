"""From matrices to the quantities of a scenario: matrix exponentials, contours in the counting variable, explicit sums.

Photon numbers come from the generating function tr x(z) on a small circle around z = 0, factorial moments from one around z = 1; both are
differences of nearly equal numbers, which is why everything here carries many more digits than it returns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import acb, acb_mat, acb_series, arb, ctx

from independent.reading import Case, Light, exact, read

BLOCK = 12
Act = Callable[[acb_mat, dict[str, acb_mat], acb_mat], acb_mat]


def answer(text: str, digits: int = 50) -> dict[str, Any]:
    """Everything that [compute] asks for, as floats under the keys of the command line's JSON.

    digits: working precision. g2 is a list of curves even where one is asked for.
    """
    before = ctx.dps, ctx.cap
    ctx.dps = digits
    try:
        return Solver(read(text), digits).everything()
    finally:
        ctx.dps, ctx.cap = before


def size_of(m: acb_mat) -> float:
    """Largest column sum, roughly."""
    sums = [0.0] * m.ncols()
    for i in range(m.nrows()):
        for j in range(m.ncols()):
            sums[j] += abs(complex(m[i, j]))
    return max(sums)


def largest(m: acb_mat) -> arb:
    """Largest modulus of an entry."""
    return max((abs(v).mid() for v in m.entries()), default=arb(0))


def exponential(m: acb_mat) -> acb_mat:
    """exp(m), by squaring the exponential of m / 2^s."""
    norm, halvings = size_of(m), 0
    while norm > 1.0:
        norm, halvings = norm / 2, halvings + 1
    e = (m * acb(arb(2) ** -halvings)).exp().mid()
    for _ in range(halvings):
        e = (e * e).mid()
    return e


def diagonal(values: list[acb]) -> acb_mat:
    """Square matrix with these values on its diagonal."""
    m = acb_mat(len(values), len(values))
    for i, v in enumerate(values):
        m[i, i] = v
    return m


def side_by_side(parts: list[acb_mat]) -> acb_mat:
    """Matrices of equal height next to each other."""
    rows = parts[0].nrows()
    return acb_mat(rows, sum(p.ncols() for p in parts), [p[i, j] for i in range(rows) for p in parts for j in range(p.ncols())])


def circle(points: int, radius: arb) -> list[acb]:
    """The upper half (real ends included) of `points` equally spaced numbers on a circle around 0."""
    return [acb(radius) * (acb(0, 2) * arb.pi() * k / points).exp() for k in range(points // 2 + 1)]


def coefficients(values: list[acb], points: int, radius: arb, up_to: int) -> list[arb]:
    """Taylor coefficients 0..up_to of a function that is real on the axis, from its values on `circle`."""
    out = []
    for n in range(up_to + 1):
        total = acb(0)
        for k, v in enumerate(values):
            twin = 1 if k in (0, points // 2) else 2
            total += twin * v * (acb(0, -2) * arb.pi() * k * n / points).exp()
        out.append(total.real / points / radius**n)
    return out


class Solver:
    """One case and the working precision."""

    def __init__(self, case: Case, digits: int) -> None:
        self.case, self.digits = case, digits
        self.tiny = arb(10) ** (-digits + digits // 6)

    # ---- generators -------------------------------------------------------------------------------------------

    def sum_of(self, parts: dict[str, acb_mat], labels: tuple[str, ...] | None) -> acb_mat:
        """Counted part of the chosen labels."""
        n = self.case.size
        total = acb_mat(n, n)
        for name, m in parts.items():
            if labels is None or name in labels:
                total = total + m
        return total

    def at_rest(self, weights: dict[str, acb]) -> acb_mat:
        """Static generator with label k counted by z_k - 1 = weights[k]."""
        total = self.case.static
        for name, w in weights.items():
            if name in self.case.static_counted:
                total = total + self.case.static_counted[name] * w
        return total

    def with_intensity(self, name: str, weights: dict[str, acb]) -> acb_mat | None:
        """What the intensity of a drive multiplies."""
        if name not in self.case.intensity:
            return None
        total = self.case.intensity[name]
        for label, w in weights.items():
            if label in self.case.intensity_counted.get(name, {}):
                total = total + self.case.intensity_counted[name][label] * w
        return total

    # ---- propagation through the pulses -----------------------------------------------------------------------

    def moments_in_time(self) -> list[arb]:
        """Sorted times where some light begins or ends."""
        times = sorted([light.start for light in self.case.lights] + [light.end for light in self.case.lights], key=lambda t: float(t.mid()))
        out: list[arb] = []
        for t in times:
            if not out or float((t - out[-1]).mid()) > 1e-14 * max(1.0, float(t.mid())):
                out.append(t)
        return out

    def through(self, groups: list[tuple[dict[str, acb], acb_mat]], end: arb | None) -> list[acb_mat]:
        """Carry each (weights, columns) from t = 0 through all pulses and on to `end` (None: stop after the last pulse)."""
        now, xs = arb(0), [x for _, x in groups]
        for t in self.moments_in_time():
            xs = self.between(groups, xs, now, t)
            xs = self.kick(groups, xs, t)
            now = t
        return xs if end is None else self.between(groups, xs, now, end)

    def kick(self, groups: list[tuple[dict[str, acb], acb_mat]], xs: list[acb_mat], t: arb) -> list[acb_mat]:
        """Everything instantaneous at time t."""
        hits = [g for g in self.case.lights if g.shape == "instant" and abs(float((g.start - t).mid())) <= 1e-14 * max(1.0, float(t.mid()))]
        if not hits:
            return xs
        out = []
        for (weights, _), x in zip(groups, xs, strict=True):
            total = acb_mat(self.case.size, self.case.size)
            for g in hits:
                if g.name in self.case.field_up:
                    e = acb(g.height) * acb(0, -(g.detuning * g.start + g.phase)).exp()
                    total = total + self.case.field_up[g.name] * e + self.case.field_down[g.name] * e.conjugate()
                pump = self.with_intensity(g.name, weights)
                if pump is not None:
                    total = total + pump * acb(g.dose)
            out.append((exponential(total) * x).mid())
        return out

    def between(self, groups: list[tuple[dict[str, acb], acb_mat]], xs: list[acb_mat], t0: arb, t1: arb) -> list[acb_mat]:
        """From t0 to t1, with no light beginning or ending in between."""
        length = t1 - t0
        if float(length.mid()) <= 1e-14 * max(1.0, float(t1.mid())):
            return xs
        middle = float(((t0 + t1) / 2).mid())
        on = [g for g in self.case.lights if g.shape != "instant" and float(g.start.mid()) < middle < float(g.end.mid())]
        if not all(g.shape == "square" and g.detuning == 0 and g.chirp == 0 for g in on):
            return self.taylor([w for w, _ in groups], on, xs, t0, t1)
        out = []
        for (weights, _), x in zip(groups, xs, strict=True):
            total = self.at_rest(weights)
            for g in on:
                if g.name in self.case.field_up:
                    e = acb(g.height) * acb(0, -g.phase).exp()
                    total = total + self.case.field_up[g.name] * e + self.case.field_down[g.name] * e.conjugate()
                pump = self.with_intensity(g.name, weights)
                if pump is not None:
                    total = total + pump
            out.append((exponential(total * acb(length)) * x).mid())
        return out

    def taylor(self, weights: list[dict[str, acb]], on: list[Light], xs: list[acb_mat], t0: arb, t1: arb) -> list[acb_mat]:
        """x' = (S + sum_k f_k(t) D_k) x by its power series, step by step, all counting weights side by side."""
        case = self.case
        widths = [x.ncols() for x in xs]
        x = side_by_side(xs)
        labels = {label for w in weights for label in w}
        weigh = {label: diagonal([w.get(label, acb(0)) for w, n in zip(weights, widths, strict=True) for _ in range(n)]) for label in labels}
        bound = size_of(case.static)
        waves: list[tuple[Light, str, acb_mat, dict[str, acb_mat]]] = []
        for g in on:
            if g.name in case.field_up:
                waves += [(g, "up", case.field_up[g.name], {}), (g, "down", case.field_down[g.name], {})]
                bound += 2 * abs(float(g.height.mid())) * size_of(case.field_up[g.name])
            if g.name in case.intensity:
                waves.append((g, "intensity", case.intensity[g.name], case.intensity_counted.get(g.name, {})))
                bound += size_of(case.intensity[g.name])
        finest = min([float(g.sigma.mid()) * 0.6 for g in on if g.sigma is not None] + [5 / bound])
        steps = max(1, int(float((t1 - t0).mid()) / finest) + 1)
        h = (t1 - t0) / steps

        def act(m: acb_mat, counted: dict[str, acb_mat], y: acb_mat) -> acb_mat:
            out = m * y
            for label, c in counted.items():
                if label in weigh:
                    out = out + c * (y * weigh[label])
            return out

        for step in range(steps):
            x = self.one_step(act, waves, x, t0 + h * step, h)
        out, at = [], 0
        for n in widths:
            out.append(acb_mat(case.size, n, [x[i, at + j] for i in range(case.size) for j in range(n)]))
            at += n
        return out

    def one_step(self, act: Act, waves: list[tuple[Light, str, acb_mat, dict[str, acb_mat]]], x: acb_mat, t: arb, h: arb) -> acb_mat:
        """One power series in s = (time - t)/h, summed at s = 1."""
        cap, rows, cols = 160, x.nrows(), x.ncols()
        ctx.cap = cap
        series = [shape(g, "intensity" if kind == "intensity" else "field", t, h) for g, kind, _, _ in waves]
        wave = [[w[k].conjugate() if kind == "down" else w[k] for k in range(cap)] for w, (_, kind, _, _) in zip(series, waves, strict=True)]
        past: list[acb_mat] = []  # blocks of earlier terms, one flattened term per row
        zero = acb(0)
        total, term, quiet, floor = x, x, 0, self.tiny * largest(x)
        for k in range(cap):
            if k % BLOCK == 0:
                past.append(acb_mat(BLOCK, rows * cols))
            for i, v in enumerate(term.entries()):
                past[-1][k % BLOCK, i] = v
            sums = acb_mat(len(waves), rows * cols)
            for b, block in enumerate(past):
                here = range(b * BLOCK, (b + 1) * BLOCK)
                sums = sums + acb_mat(len(waves), BLOCK, [w[k - i] if i <= k else zero for w in wave for i in here]) * block
            mixed = sums.entries()
            new = act(self.case.static, self.case.static_counted, term)
            for j, (_, _, m, counted) in enumerate(waves):
                new = new + act(m, counted, acb_mat(rows, cols, mixed[j * rows * cols : (j + 1) * rows * cols]))
            term = (new * acb(h / (k + 1))).mid()
            total = total + term
            quiet = quiet + 1 if largest(term) < floor else 0
            if quiet == 3:
                return total.mid()
        raise ArithmeticError("the power series does not settle; shorten the step")

    # ---- long times -------------------------------------------------------------------------------------------

    def forever(self, m: acb_mat, x: acb_mat) -> acb_mat:
        """lim exp(m t) x for t -> infinity, by doubling t until nothing changes."""
        e = exponential(m * acb(1 / arb(size_of(m) + 1e-300)))
        return self.repeat(e, x)

    def repeat(self, e: acb_mat, x: acb_mat) -> acb_mat:
        """lim e^n x, by squaring e until nothing changes."""
        last, quiet = e * x, 0
        for _ in range(400):
            e = (e * e).mid()
            new = (e * x).mid()
            quiet = quiet + 1 if largest(new - last) < self.tiny * largest(x) else 0
            if quiet == 3:
                return new
            last = new
        raise ArithmeticError("no limit at long times: the count diverges or the state keeps turning")

    def null(self, m: acb_mat) -> acb_mat | None:
        """The one vector of unit trace with m x = 0; None if there are several."""
        n = self.case.size
        square, right = acb_mat(m), acb_mat(n, 1)
        spot = next(j for j in range(n) if self.case.trace[0, j] != 0)
        for j in range(n):
            square[spot, j] = self.case.trace[0, j]
        right[spot, 0] = acb(1)
        try:
            return square.solve(right).mid()
        except ZeroDivisionError:
            return None

    def steady(self) -> acb_mat:
        """Steady state of continuous operation, reached from the start."""
        x = self.null(self.case.static)
        return self.forever(self.case.static, self.case.start) if x is None else x

    # ---- results ----------------------------------------------------------------------------------------------

    def tr(self, x: acb_mat) -> arb:
        """Trace of the state."""
        return (self.case.trace * x)[0, 0].real

    def everything(self) -> dict[str, Any]:
        """All that is asked for."""
        counts = bool(self.case.lights) or "photon_numbers" in self.case.compute
        out = self.pulsed() if counts else self.continuous()
        return {k: floats(v) for k, v in out.items()}

    def continuous(self) -> dict[str, Any]:
        """Populations, flux and correlations of the steady state."""
        ask, out = self.case.compute, {}
        x = self.steady()
        jumps = {name: self.case.static_counted[name] for name in self.case.labels}
        if ask.get("populations"):
            out["populations"] = {name: (m * x)[0, 0].real for name, m in self.case.level_sums.items()}
        if ask.get("flux"):
            out["flux_per_ns"] = {name: self.tr(m * x) for name, m in jumps.items()}
        tables = ask.get("g2", [])
        curves = []
        for table in tables if isinstance(tables, list) else [tables]:
            first, second = listed(table["first"]), listed(table.get("second", table["first"]))
            a, b = self.sum_of(jumps, first), self.sum_of(jumps, second)
            norm = self.tr(a * x) * self.tr(b * x)
            values = []
            for tau in table["tau_ns"]:
                early, late = (a, b) if tau >= 0 else (b, a)
                later = exponential(self.case.static * acb(abs(exact(tau)))) * (early * x)
                values.append(self.tr(late * later) / norm)
            curves.append(values)
        if curves:
            out["g2"] = curves
        return out

    def pulsed(self) -> dict[str, Any]:
        """Photon numbers of one pulse (to infinity) or of one period, and side peaks."""
        ask, out, case = self.case.compute, {}, self.case
        train = case.period is not None
        x = self.period_start() if train else case.start
        if train and ask.get("populations"):
            out["populations"] = {name: (m * x)[0, 0].real for name, m in case.level_sums.items()}
        if train and ask.get("flux"):
            out["flux_per_ns"] = {name: self.moments((name,), x, 1)[1] / case.period for name in case.labels}
        photons = ask.get("photon_numbers", {})
        top = photons.get("max", 6)
        if "labels" in photons:
            out.update(self.joint(x, listed(photons["labels"][0]), listed(photons["labels"][1]), top))
        elif photons:
            label = listed(photons.get("label", case.labels))
            p, m = self.numbers(label, x, max(top, 2))
            out["photon_numbers"] = p[: top + 1]
            out["mean_photons"], out["g2_zero"], out["g3_zero"] = m[1], m[2] / m[1] ** 2, m[3] / m[1] ** 3
            out["photon_fraction_in_pairs"] = 2 * p[2] / m[1]
            out["event_fraction_of_pairs"] = p[2] / (1 - p[0])
            out["pair_efficiency"] = p[2]
        if "side_peaks" in ask:
            peaks = ask["side_peaks"] if isinstance(ask["side_peaks"], dict) else {"count": ask["side_peaks"]}
            out["side_peaks"] = self.side_peaks(x, listed(peaks.get("label", photons.get("label", case.labels))), peaks["count"])
        return out

    def ends(self, weightings: list[dict[str, acb]], x: acb_mat) -> list[acb_mat]:
        """State at the end of the window for each counting weight."""
        groups = [(w, x) for w in weightings]
        if self.case.period is not None:
            return self.through(groups, self.case.period)
        after = self.through(groups, None)
        return [self.forever(self.at_rest(w), y) for w, y in zip(weightings, after, strict=True)]

    def generating(self, weightings: list[dict[str, acb]], x: acb_mat) -> list[acb]:
        """tr x(z) at the end of the window."""
        return [(self.case.trace * y)[0, 0] for y in self.ends(weightings, x)]

    def numbers(self, label: tuple[str, ...], x: acb_mat, top: int) -> tuple[list[arb], list[arb]]:
        """P(0..top) and the factorial moments 0..3.

        One circle of radius 1/2 gives every P(n) up to 15; where those beyond are below 1e-30 the moments are their sums, else a second circle gives them.
        """
        points, radius = 16, arb("0.5")
        p = coefficients(self.generating([dict.fromkeys(label, z - 1) for z in circle(points, radius)], x), points, radius, points - 1)
        if float(abs(p[14]).mid()) + float(abs(p[15]).mid()) < 1e-33:
            falling = [[1, n, n * (n - 1), n * (n - 1) * (n - 2)] for n in range(points)]
            return p, [sum((f[k] * v for f, v in zip(falling, p, strict=True)), arb(0)) for k in range(4)]
        radius = arb("0.01")
        p = coefficients(self.generating([dict.fromkeys(label, z - 1) for z in circle(points, radius)], x), points, radius, top)
        return p, self.moments(label, x, 3)

    def moments(self, label: tuple[str, ...], x: acb_mat, up_to: int) -> list[arb]:
        """Factorial moments 0..up_to of the light of `label` in the window that starts in x."""
        points, radius = 6, arb("0.0001")
        values = self.generating([dict.fromkeys(label, z) for z in circle(points, radius)], x)
        factor, out = arb(1), []
        for n, c in enumerate(coefficients(values, points, radius, up_to)):
            factor = factor * max(n, 1)
            out.append(c * factor)
        return out

    def joint(self, x: acb_mat, first: tuple[str, ...], second: tuple[str, ...], top: int) -> dict[str, Any]:
        """P[n][m] and the joint moments."""
        points, radius = 12, arb("0.001")
        half = circle(points, radius)
        full = half + [z.conjugate() for z in half[-2:0:-1]]
        grid = [[0] * points for _ in half]
        values = self.generating([{**dict.fromkeys(first, u - 1), **dict.fromkeys(second, v - 1)} for u in half for v in full], x)
        grid = [values[i * points : (i + 1) * points] for i in range(len(half))]
        table: list[list[arb]] = []
        turn = [(acb(0, -2) * arb.pi() * k / points).exp() for k in range(points)]
        for n in range(top + 1):
            row = []
            for m in range(top + 1):
                total = acb(0)
                for i in range(len(half)):
                    twin = 1 if i in (0, points // 2) else 2
                    for k in range(points):
                        total += twin * (grid[i][k] * turn[(i * n) % points] * turn[(k * m) % points]).real
                row.append(total.real / points**2 / radius ** (n + m))
            table.append(row)
        mu = [self.moments(first, x, 1)[1], self.moments(second, x, 1)[1]]
        both = self.moments((*first, *second), x, 2)[2]
        one, two = self.moments(first, x, 2)[2], self.moments(second, x, 2)[2]
        return {"photon_numbers": table, "mean_photons": mu, "cross_g2_zero": (both - one - two) / 2 / (mu[0] * mu[1])}

    def period_map(self) -> acb_mat:
        """State at the end of a period from the state at its start."""
        n = self.case.size
        return self.through([({}, diagonal([acb(1)] * n))], self.case.period)[0]

    def period_start(self) -> acb_mat:
        """What repeats itself after a period, reached from the start."""
        self.map = self.period_map()
        x = self.null(self.map - diagonal([acb(1)] * self.case.size))
        return self.repeat(self.map, self.case.start) if x is None else x

    def click(self, label: tuple[str, ...], x: acb_mat) -> acb_mat:
        """d/dz at z = 1 of the state after a period: weighted by the photons counted in it."""
        points, radius = 6, arb("0.0001")
        half = circle(points, radius)
        total = acb_mat(self.case.size, 1)
        for k, (z, y) in enumerate(zip(half, self.ends([dict.fromkeys(label, z) for z in half], x), strict=True)):
            part = y * (1 / z)
            total = total + (part if k in (0, points // 2) else part + self.adjoint(part))
        return (total * acb(arb(1) / points)).mid()

    def adjoint(self, x: acb_mat) -> acb_mat:
        """The state of the conjugate counting variable."""
        n = self.case.size
        if self.case.picture == "rate":
            return x.conjugate()
        d = math.isqrt(n)
        return acb_mat(n, 1, [x[i % d * d + i // d, 0].conjugate() for i in range(n)])

    def side_peaks(self, x: acb_mat, label: tuple[str, ...], count: int) -> list[arb]:
        """<n_0 n_m>/mu^2 with <n(n-1)>/mu^2 in front."""
        m = self.moments(label, x, 2)
        y, out = self.click(label, x), [m[2] / m[1] ** 2]
        for _ in range(count):
            out.append(self.moments(label, y, 1)[1] / m[1] ** 2)
            y = (self.map * y).mid()
        return out


def shape(g: Light, kind: str, t: arb, h: arb) -> acb_series:
    """Power series in s of the field (height included) or the intensity (peak 1) at t + s h."""
    u = t - g.centre
    zero = arb(0)
    gauss = [zero, zero, zero]
    if g.sigma is not None:
        width = 2 * g.sigma**2 if kind == "field" else g.sigma**2
        gauss = [-u * u / width, -2 * u * h / width, -h * h / width]
    if kind == "intensity":
        return acb_series([acb(a) for a in gauss]).exp()
    phase = [g.detuning * t + g.chirp * u * u / 2 + g.phase, g.detuning * h + g.chirp * u * h, g.chirp * h * h / 2]
    return acb_series([acb(a, -b) for a, b in zip(gauss, phase, strict=True)]).exp() * acb(g.height)


def listed(label: str | list[str]) -> tuple[str, ...]:
    """A label or a list of them."""
    return (label,) if isinstance(label, str) else tuple(label)


def floats(v: Any) -> Any:
    """Many digits to doubles, at any depth."""
    if isinstance(v, dict):
        return {k: floats(w) for k, w in v.items()}
    if isinstance(v, list):
        return [floats(w) for w in v]
    return float(v.mid()) if isinstance(v, arb) else float(v)
