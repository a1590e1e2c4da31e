"""The correlator: exact counts against brute force on both roads, laws of g2 and g3, what it finds by itself, what it warns of, measured files.

Light is made here, photon by photon, from laws with closed forms; nothing of qdot is used for it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import chi2, poisson

import qdot
from qdot import InputError, Tags, correlate, correlate3, open_tags, read_card, save_tags
from qdot.data import Histogram
from qdot.tags import kernel, merged
from qdot.tags.counted import count
from qdot.tags.pairs import Window, add_pairs, add_triples, carried
from qdot.tags.poisson import interval, upper_limit
from qdot.tags.recording import of_tags

ROADS = ("compiled", "NumPy")


@pytest.fixture(params=ROADS)
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of counting."""
    if request.param == "compiled" and kernel.library() is None:
        pytest.skip("the compiled counting was not built")
    if request.param == "NumPy":
        monkeypatch.setattr(kernel, "library", lambda: None)
    return str(request.param)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


# ---- light ----------------------------------------------------------------------------------------------------------------------------------------------


def uncorrelated(rng: np.random.Generator, rate_per_ns: float, duration_ps: int) -> np.ndarray:
    return np.sort(rng.integers(0, duration_ps, rng.poisson(rate_per_ns * duration_ps / 1000)))


def split(rng: np.random.Generator, arrivals: np.ndarray, duration_ps: int, delays_ps: tuple[int, ...] = (0, 0), **about: Any) -> Tags:
    """Photons on a splitter with one detector behind each of its outputs, each with its cable."""
    out = rng.integers(0, len(delays_ps), arrivals.size)
    low = min(0, *delays_ps)
    streams = {c: np.rint(arrivals[out == c]).astype(np.int64) + d for c, d in enumerate(delays_ps)}
    return merged(streams, duration_ps + max(0, *delays_ps) - low, start_ps=low, **about)


def two_level(rng: np.random.Generator, pump: float, decay: float, duration_ps: int, efficiency: float = 1.0) -> np.ndarray:
    """Photons of a two-level emitter (rates per ns): g2 = 1 - exp(-(pump + decay) |tau|)."""
    n = int(1.2 * duration_ps / 1000 / (1 / pump + 1 / decay)) + 100
    times = 1000 * np.cumsum(rng.exponential(1 / pump, n) + rng.exponential(1 / decay, n))
    assert times[-1] > duration_ps
    times = times[times < duration_ps]
    return times[rng.random(times.size) < efficiency]


def pulsed(rng: np.random.Generator, pulses: int, period_ps: float, numbers: tuple[float, ...], life_ps: float, is_on: np.ndarray | None = None) -> np.ndarray:
    """numbers[n]: probability of n photons in a pulse, each emitted after an exponential time; is_on: (pulses,) of a blinking emitter."""
    n = rng.choice(len(numbers), pulses, p=numbers)
    if is_on is not None:
        n = n * is_on
    pulse = np.repeat(np.arange(pulses), n)
    return np.sort(pulse * period_ps + rng.exponential(life_ps, pulse.size))


def brute_pairs(time: np.ndarray, channel: np.ndarray, a: int, b: int, window: Window) -> np.ndarray:
    """Coincidences by a double loop."""
    counts = np.zeros(window.bins, np.int64)
    for i in np.flatnonzero(channel == a):
        for j in np.flatnonzero(channel == b):
            d = int(time[j]) - int(time[i])
            if i != j and window.low_ps <= d < window.high_ps:
                counts[(d - window.low_ps) // window.width_ps] += 1
    return counts


def blocks_of(time: np.ndarray, channel: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return ((time[i : i + size], channel[i : i + size]) for i in range(0, time.size, size))


# ---- counting -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_all_pairs_are_counted_as_by_brute_force_however_the_record_is_cut(road: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 90))
    times, channel = np.sort(rng.integers(0, int(rng.choice([20, 1000, 50_000])), n)), rng.integers(0, 3, n).astype(np.int16)
    width, bins = int(rng.integers(1, 40)), int(rng.integers(1, 25))
    window = Window(-int(rng.integers(0, width * bins)), width, bins)
    a, b = (int(c) for c in rng.integers(0, 3, 2))
    exact = brute_pairs(times, channel, a, b, window)
    for size in (1, 3, 17, n + 1):
        counts = np.zeros(bins, np.int64)
        for ready in carried(blocks_of(times, channel, size), (a, b), window):
            add_pairs(ready, window, counts)
        assert np.array_equal(counts, exact), size


@pytest.mark.parametrize("seed", range(12))
def test_all_triples_are_counted_as_by_brute_force_however_the_record_is_cut(road: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 35))
    times, channel = np.sort(rng.integers(0, 400, n)), rng.integers(0, 3, n)
    window = Window(-int(rng.integers(0, 200)), int(rng.integers(5, 40)), 9)
    a, b, c = (int(x) for x in rng.integers(0, 3, 3))
    exact = np.zeros((9, 9), np.int64)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                x, y = ((times[m] - times[i] - window.low_ps) // window.width_ps for m in (j, k))
                if len({i, j, k}) == 3 and (channel[i], channel[j], channel[k]) == (a, b, c) and 0 <= x < 9 and 0 <= y < 9:
                    exact[x, y] += 1
    for size in (1, 5, n):
        counts = np.zeros((9, 9), np.int64)
        for ready in carried(blocks_of(times, channel, size), (a, b, c), window):
            add_triples(ready, window, counts, b == c)
        assert np.array_equal(counts, exact), size


def test_every_pair_counts_and_not_only_the_first_stop(road: str) -> None:
    tags = Tags([0, 1000, 2000, 3000], [0, 1, 1, 1], duration_ps=10**9)
    found = correlate(tags, (0, 1), bin_ps=500, range_ns=5)
    assert found.tau_ns[found.counts > 0].tolist() == [1.25, 2.25, 3.25]
    swapped = correlate(tags, (1, 0), bin_ps=500, range_ns=5)
    assert swapped.tau_ns[swapped.counts > 0].tolist() == [-2.75, -1.75, -0.75]


@pytest.mark.parametrize("bin_ps", [1, 7, 256, 1000])
@pytest.mark.parametrize("period_ns", [None, 3.1])
def test_the_bins_of_a_result_are_those_that_it_states(road: str, bin_ps: int, period_ns: float | None) -> None:
    rng = np.random.default_rng(9)
    streams = {c: uncorrelated(rng, 0.05, 4_000_000) for c in (0, 1)}
    tags = merged(streams, 4_000_000)
    found = correlate(tags, bin_ps=bin_ps, range_ns=20.5, period_ns=period_ns, zero_delay_ns=0.7, normalise="rates")
    edges = np.rint(1000 * found.tau_ns - bin_ps / 2).astype(np.int64)
    delays = (streams[1][None, :] - streams[0][:, None]).ravel()
    assert np.array_equal(np.diff(edges), np.full(edges.size - 1, bin_ps))
    assert edges[0] <= -20_500 < edges[0] + bin_ps
    assert edges[edges.size // 2] == 0
    assert np.array_equal(found.counts, np.histogram(delays, [*edges, edges[-1] + bin_ps - 0.5])[0])
    assert found.bin_ps == bin_ps
    for peak in found.peaks:
        low, high = (1000 * (0.7 + (peak.index + s) * 3.1) for s in (-0.5, 0.5))
        assert peak.coincidences == np.sum((delays >= low) & (delays < high)), peak
    if period_ns:
        reach = bin_ps * found.counts.size / 2
        whole = [m for m in range(-9, 10) if -reach <= 700 + (m - 0.5) * 3100 and 700 + (m + 0.5) * 3100 <= reach]
        assert [p.index for p in found.peaks] == whole


def test_a_file_in_blocks_gives_the_same_as_the_record_in_memory(road: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(10)
    tags = split(rng, pulsed(rng, 20_000, 12_500.0, (0.5, 0.45, 0.05), 900.0), 250_000_000 + 20_000)
    save_tags(tags, tmp_path / "a.h5")
    for channels in ((0, 1), (1, 1)):
        whole = count(of_tags(tags), channels, 100, 200, is_pulsed=True)
        for size in (1000, 7777):
            cut = count(open_tags(tmp_path / "a.h5"), channels, 100, 200, is_pulsed=True, block=size)
            assert np.array_equal(cut.shape.counts, whole.shape.counts)
            assert (cut.rate_per_ps, cut.photons, cut.dead_ps) == (whole.rate_per_ps, whole.photons, whole.dead_ps)
    shares: list[float] = []
    correlate(tmp_path / "a.h5", bin_ps=100, range_ns=200, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


# ---- laws -----------------------------------------------------------------------------------------------------------------------------------------------


def test_uncorrelated_light_is_flat_at_one_at_its_stated_errors() -> None:
    rng = np.random.default_rng(31)
    duration = 2 * 10**9
    tags = merged({c: uncorrelated(rng, 0.05, duration) for c in (0, 1)}, duration)
    found = correlate(tags, bin_ps=500, range_ns=400)
    expected = found.counts / found.g2
    assert chi2.sf(np.sum((found.counts - expected) ** 2 / expected), found.counts.size) > 1e-3
    assert np.mean(found.g2) == pytest.approx(1.0, abs=4 / math.sqrt(found.counts.sum()))
    assert abs(found.g2_zero - 1) < 4 * found.error
    assert found.zero_delay_how == "assumed"
    assert [w for w in found.warnings if "no dip or peak stands out" not in w] == []


def test_long_delays_miss_the_pairs_that_begin_too_late() -> None:
    rng = np.random.default_rng(32)
    duration = 2_000_000
    found = np.zeros(80)
    for _ in range(60):
        tags = merged({c: uncorrelated(rng, 0.5, duration) for c in (0, 1)}, duration)
        found += correlate(tags, bin_ps=40_000, range_ns=1600, zero_delay_ns=0.0).g2
    assert found / 60 == pytest.approx(np.ones(80), abs=0.06)  # counts at the ends are a fifth of those in the middle


@pytest.mark.parametrize("auto", [False, True])
def test_a_two_level_emitter_is_antibunched_by_its_closed_form(auto: bool) -> None:
    rng = np.random.default_rng(33)
    duration, pump, decay = 2 * 10**9, 0.2, 1.0
    tags = split(rng, two_level(rng, pump, decay, duration), duration)
    found = correlate(tags, (0, 0) if auto else (0, 1), bin_ps=100, range_ns=30)
    assert found.zero_delay_how == ("exact" if auto else "found")
    assert abs(found.zero_delay_ns) < 0.05
    edges = np.append(found.tau_ns - 0.05, found.tau_ns[-1] + 0.05)
    k = pump + decay
    integral = np.sign(edges) * (np.abs(edges) - (1 - np.exp(-k * np.abs(edges))) / k)
    expected = np.diff(integral) / 0.1 * found.counts.sum() / found.g2.sum()
    half = found.tau_ns > 0 if auto else np.ones(edges.size - 1, bool)
    assert chi2.sf(np.sum(((found.counts - expected) ** 2 / expected)[half]), half.sum()) > 1e-3
    centred = 1 - (1 - math.exp(-k * 0.05)) / (k * 0.05)
    assert found.interval[0] - 3 * found.error < centred < found.interval[1] + 3 * found.error
    assert not [w for w in found.warnings if "bins" in w or "baseline" in w or "differ" in w]


@pytest.mark.parametrize("delay_ps", [0, 12_345, -61_090])
@pytest.mark.parametrize("period_ps", [12_500.0, 3127.7])
def test_pulsed_g2_is_that_of_the_photon_numbers_whatever_the_cables(delay_ps: int, period_ps: float) -> None:
    rng = np.random.default_rng(34)
    numbers = (0.45, 0.5, 0.05)
    pulses = 300_000
    tags = split(rng, pulsed(rng, pulses, period_ps, numbers, 0.06 * period_ps), int(pulses * period_ps + 30 * period_ps), (0, delay_ps))
    mean, pairs = 0.5 + 2 * 0.05, 2 * 0.05
    for how in ("side_peaks", "rates", "long_delay"):
        found = correlate(tags, bin_ps=100, range_ns=100, period_ns=period_ps / 1000, normalise=how)
        assert found.normalisation == how
        assert abs(found.g2_zero - pairs / mean**2) < 4 * found.error
        assert found.error / found.g2_zero < 0.02
        assert abs(found.zero_delay_ns - delay_ps / 1000) < 5 * found.zero_delay_error_ns + 0.001
        assert found.by["side_peaks"] == pytest.approx(found.by["rates"], rel=0.02)
    back = correlate(tags, (1, 0), bin_ps=100, range_ns=100, period_ns=period_ps / 1000)
    assert back.zero_delay_ns == pytest.approx(-found.zero_delay_ns, abs=0.005)
    assert [p.coincidences for p in back.peaks if abs(p.index) < 3] == pytest.approx([p.coincidences for p in found.peaks if abs(p.index) < 3][::-1], rel=0.01)


def test_loss_and_uncorrelated_light_act_on_g2_as_they_must() -> None:
    rng = np.random.default_rng(35)
    photons = pulsed(rng, 600_000, 12_500.0, (0.4, 0.5, 0.1), 500.0)
    duration = 600_000 * 12_500 + 20_000
    full = correlate(split(rng, photons, duration), bin_ps=256, range_ns=200, period_ns=12.5)
    part = correlate(split(rng, photons[rng.random(photons.size) < 0.3], duration), bin_ps=256, range_ns=200, period_ns=12.5)
    assert abs(full.g2_zero - part.g2_zero) < 4 * math.hypot(full.error, part.error)
    dark = uncorrelated(rng, photons.size / duration * 1000, duration)
    mixed = correlate(split(rng, np.sort(np.concatenate([photons, dark])), duration), bin_ps=256, range_ns=200, period_ns=12.5)
    share = photons.size / (photons.size + dark.size)
    assert abs(mixed.g2_zero - (1 - share**2 * (1 - full.g2_zero))) < 4 * math.hypot(mixed.error, full.error)
    assert any("background" in w for w in mixed.warnings)
    assert not any("background" in w for w in full.warnings)


def test_blinking_lifts_the_side_peaks_above_the_rates_and_is_told() -> None:
    rng = np.random.default_rng(36)
    pulses, stretch = 800_000, 4000
    is_on = np.repeat(rng.random(pulses // stretch) < 0.25, stretch)
    tags = split(rng, pulsed(rng, pulses, 12_500.0, (0.6, 0.38, 0.02), 500.0, is_on), pulses * 12_500 + 20_000)
    found = correlate(tags, bin_ps=256, range_ns=400, period_ns=12.5)
    assert found.by["rates"] / found.by["side_peaks"] == pytest.approx(1 / is_on.mean(), rel=0.02)
    (told,) = [w for w in found.warnings if "normalisations differ" in w]
    assert "blinks" in told
    assert any("has not reached its baseline" in w for w in found.warnings)
    plain = split(rng, pulsed(rng, pulses // 4, 12_500.0, (0.6, 0.38, 0.02), 500.0), pulses // 4 * 12_500 + 20_000)
    assert not [w for w in correlate(plain, bin_ps=20, range_ns=400, period_ns=12.5).warnings]


def test_a_range_that_ends_in_the_bunching_is_told_for_long_delays() -> None:
    """Telegraph light, on and off for 2 us on average: g2 = 2 for short delays, falling by exp(-tau / 1 us)."""
    rng = np.random.default_rng(37)
    duration, stays = 4 * 10**9, 2_000_000
    switches = np.cumsum(rng.exponential(stays, int(1.5 * duration / stays)))
    photons = uncorrelated(rng, 0.06, duration)
    photons = photons[np.searchsorted(switches, photons) % 2 == 0]
    tags = split(rng, photons, duration)
    short = correlate(tags, bin_ps=1000, range_ns=300, normalise="long_delay", zero_delay_ns=0)
    (told,) = [w for w in short.warnings if "baseline" in w]
    assert "by the rates" in told
    far = correlate(tags, bin_ps=100_000, range_ns=20_000, normalise="long_delay", zero_delay_ns=0)
    assert not [w for w in far.warnings if "baseline" in w or "differ" in w]
    assert far.g2_zero == pytest.approx(2.0, abs=0.2)


def test_memory_over_several_periods_makes_side_peaks_unequal_and_is_told() -> None:
    rng = np.random.default_rng(38)
    pulses = 400_000
    is_on = np.repeat(rng.random(pulses // 8) < 0.3, 8)
    tags = split(rng, pulsed(rng, pulses, 12_500.0, (0.3, 0.7), 300.0, is_on), pulses * 12_500 + 20_000)
    found = correlate(tags, bin_ps=256, range_ns=500, period_ns=12.5)
    assert any("side peaks are not equal" in w for w in found.warnings)
    assert found.zero_delay_how == "found"
    assert abs(found.zero_delay_ns) < 0.02


@pytest.mark.parametrize(("bin_ps", "is_told"), [(25, False), (100, False), (400, True), (3000, True)])
def test_bins_wider_than_a_fifth_of_the_fastest_feature_are_told(bin_ps: int, is_told: bool) -> None:
    rng = np.random.default_rng(39)
    duration = 2 * 10**9
    cw = split(rng, two_level(rng, 0.1, 0.9, duration), duration)  # time constant 1 ns
    train = split(rng, pulsed(rng, 200_000, 12_500.0, (0.5, 0.5), 1000.0), 200_000 * 12_500 + 30_000)
    for found in (correlate(cw, bin_ps=bin_ps, range_ns=60), correlate(train, bin_ps=bin_ps, range_ns=60, period_ns=12.5)):
        assert any("wider than a fifth of the fastest feature" in w for w in found.warnings) == is_told, found


def test_a_dead_time_hides_g2_zero_of_an_autocorrelation_and_is_told() -> None:
    rng = np.random.default_rng(40)
    duration, dead = 4 * 10**9, 45_000
    arrivals = uncorrelated(rng, 0.01, duration)
    kept = [int(arrivals[0])]
    for t in arrivals[1:].tolist():
        if t - kept[-1] >= dead:
            kept.append(t)
    tags = Tags(kept, np.zeros(len(kept)), duration)
    found = correlate(tags, bin_ps=1000, range_ns=500)
    assert found.channels == (0, 0)
    assert (found.g2_zero, found.error, found.interval) == (None, None, None)
    assert found.dead_time_ns == pytest.approx(45.0, rel=0.01)
    assert any("dead time" in w for w in found.warnings)
    outside = np.abs(found.tau_ns) > 200
    assert np.mean(found.g2[outside]) == pytest.approx(1.0, abs=0.02)
    assert np.abs(found.counts - found.counts[::-1]).sum() < 0.005 * found.counts.sum()  # but for delays on an edge
    whole = correlate(Tags(arrivals, np.zeros(arrivals.size), duration), bin_ps=1000, range_ns=500)
    assert whole.dead_time_ns is None
    assert abs(whole.g2_zero - 1) < 4 * whole.error


def behind_a_dead_time(times: np.ndarray, dead_ps: int) -> np.ndarray:
    """What a detector sees that is blind for a while after each photon that it saw."""
    seen = [-dead_ps]
    for t in times.tolist():
        if t - seen[-1] >= dead_ps:
            seen.append(t)
    return np.array(seen[1:], dtype=np.int64)


def told_periods(tags: Tags, channels: tuple[int, int], bin_ps: int, range_ns: float) -> list[float]:
    """Periods that a correlation without a period warns of."""
    found = correlate(tags, channels, bin_ps=bin_ps, range_ns=range_ns)
    return [float(w.split("repeat every ")[1].split(" ns")[0]) for w in found.warnings if "repeat every" in w]


@pytest.mark.parametrize(("dead_ps", "rate"), [(0, 0.01), (81_000, 0.003), (45_000, 0.01), (45_000, 0.04)])
def test_light_without_pulses_repeats_nowhere_whatever_the_dead_time(dead_ps: int, rate: float) -> None:
    """50 seeded records for each detector, as autocorrelations and as cross-correlations, with ranges that end soon after the dead time and far beyond."""
    for seed in range(50):
        rng = np.random.default_rng((52, seed))
        streams = {c: uncorrelated(rng, rate, 10**9) for c in (0, 1)}
        if dead_ps:
            streams = {c: behind_a_dead_time(times, dead_ps) for c, times in streams.items()}
        tags = merged(streams, 10**9)
        for channels in ((0, 0), (0, 1)):
            for bin_ps, range_ns in ((1000, 100), (1000, 120), (256, 300), (1000, 2000)):
                assert told_periods(tags, channels, bin_ps, range_ns) == [], (seed, channels, bin_ps, range_ns)


@pytest.mark.parametrize("dead_ps", [0, 45_000, 81_000])
@pytest.mark.parametrize(("period_ps", "life_ps"), [(12_500, 300.0), (12_500, 1500.0), (3125, 300.0), (50_000, 1000.0)])
def test_pulses_are_found_whatever_the_dead_time(period_ps: int, life_ps: float, dead_ps: int) -> None:
    """From four periods beyond the dead time on, with cables and background."""
    for seed in range(4):
        rng = np.random.default_rng((53, seed))
        dim = min(1.0, 2 * period_ps / max(dead_ps, 1))  # so that a detector is not blind most of the time
        pulses = round(100_000 / dim**0.5)
        duration = pulses * period_ps + 10**5
        numbers = (1 - 0.4 * dim, 0.3 * dim, 0.1 * dim)
        arrivals = np.sort(np.concatenate([pulsed(rng, pulses, period_ps, numbers, life_ps), uncorrelated(rng, dim / period_ps, duration)]))
        out = rng.integers(0, 2, arrivals.size)
        streams = {c: np.rint(arrivals[out == c]).astype(np.int64) for c in (0, 1)}
        if dead_ps:
            streams = {c: behind_a_dead_time(times, dead_ps) for c, times in streams.items()}
        cable = int(1.2 * period_ps) * (seed % 2)
        tags = merged({0: streams[0], 1: streams[1] + cable}, duration + cable)
        for channels in ((0, 0), (0, 1)):
            for periods in (4.5, 8, 40):
                reach = periods * period_ps + (dead_ps if channels == (0, 0) else 0)
                (found,) = told_periods(tags, channels, period_ps // 50, reach / 1000)
                assert found == pytest.approx(period_ps / 1000, rel=0.002 if periods > 20 else 0.03), (seed, channels, periods)


# ---- small counts ---------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.3, 1.0, 2.5, 7.0, 60.0])
@pytest.mark.parametrize("confidence", [0.6827, 0.95])
def test_intervals_of_small_counts_cover_the_mean_as_often_as_they_say(mean: float, confidence: float) -> None:
    n = np.arange(0, int(mean + 12 * math.sqrt(mean) + 20))
    p = poisson.pmf(n, mean)
    covered = np.array([interval(int(k), confidence)[0] <= mean <= interval(int(k), confidence)[1] for k in n])
    assert p[covered].sum() >= confidence - (0.0 if mean > 1.2 else 0.05)  # of a count of 0 only the upper limit is used
    assert p[[upper_limit(int(k), confidence) >= mean for k in n]].sum() >= confidence - 1e-12


def test_intervals_are_those_of_the_tables() -> None:
    assert interval(2, 0.9) == pytest.approx((0.355, 6.296), abs=5e-4)  # Garwood (1936)
    assert interval(0)[1] == pytest.approx(-math.log(1 - 0.6827), rel=1e-12)
    low, high = interval(10_000)
    assert [low, high] == pytest.approx([10_000 - 100, 10_000 + 100], abs=1.5)


def test_an_empty_zero_peak_has_a_limit_and_not_an_error_of_zero() -> None:
    rng = np.random.default_rng(41)
    photons = np.rint(pulsed(rng, 20_000, 12_500.0, (0.5, 0.5), 300.0)).astype(np.int64)
    found = correlate(split(rng, photons, 20_000 * 12_500 + 20_000), bin_ps=100, range_ns=300, period_ns=12.5)
    assert (found.g2_zero, found.coincidences_zero) == (0.0, 0)
    assert found.error == pytest.approx(1.148 / found.level, rel=1e-3)
    assert found.interval == (0.0, pytest.approx(found.error))
    assert found.upper_limit == pytest.approx(2.996 / found.level, rel=1e-3)


@pytest.mark.parametrize(
    ("channels", "numbers", "pulses", "efficiency", "range_ns"),
    [((0, 1), (0.3, 0.5, 0.2), 40_000, 0.15, 60), ((0, 0), (0.3, 0.5, 0.2), 40_000, 0.15, 60), ((0, 1), (0.9, 0.0, 0.1), 200_000, 0.1, 20)],
    ids=["cross", "auto", "few side peaks"],
)
def test_stated_errors_are_those_of_repeated_measurements(
    channels: tuple[int, int], numbers: tuple[float, ...], pulses: int, efficiency: float, range_ns: float
) -> None:
    """At a low efficiency, as in a laboratory: where nearly all photons are detected, counts of one pulse and of its neighbours scatter together."""
    rng = np.random.default_rng(42)
    true = 2 * numbers[2] / (numbers[1] + 2 * numbers[2]) ** 2
    pulls = []
    for _ in range(120):
        photons = pulsed(rng, pulses, 12_500.0, numbers, 400.0)
        tags = split(rng, photons[rng.random(photons.size) < efficiency], pulses * 12_500 + 20_000)
        found = correlate(tags, channels, bin_ps=500, range_ns=range_ns, period_ns=12.5, zero_delay_ns=0)
        pulls.append((found.g2_zero - true) / found.error)
    assert abs(np.mean(pulls)) < 0.4  # few counts: a ratio is skew
    assert 0.78 < np.std(pulls) < 1.22


# ---- what does not fit ----------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def train() -> Tags:
    rng = np.random.default_rng(50)
    return split(rng, pulsed(rng, 100_000, 12_500.0, (0.5, 0.45, 0.05), 400.0), 100_000 * 12_500 + 60_000, (0, 31_000))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"period_ns": 5.3}, "but the coincidences repeat every 12.5"),
        ({"period_ns": 6.25}, "but the coincidences repeat every 12.5"),
        ({"period_ns": 12.5, "range_ns": 20}, "range_ns must hold the whole peak at zero delay|no peak stands out"),
        ({"period_ns": 12.5, "range_ns": 20, "zero_delay_ns": 15.0}, "hold the whole peak at zero delay, 15"),
        ({"period_ns": 12.5, "range_ns": 8, "zero_delay_ns": 0.0}, "reach whole side peaks with coincidences"),
        ({"period_ns": 12.5, "bin_ps": 8000}, "less than half a period"),
        ({"period_ns": 0.0}, "period_ns must be a finite number > 0"),
        ({"normalise": "side_peaks"}, r"none \(the coincidences repeat every 12\.5"),
        ({"normalise": "peaks"}, "side_peaks', 'rates', 'long_delay', got 'peaks'"),
        ({"channels": (0, 2)}, "must be one of '0', '1', got '2'"),
        ({"channels": (0, 1, 1)}, "name 2 channels"),
        ({"channels": (0, "H")}, "be whole numbers"),
        ({"bin_ps": 0}, "bin_ps"),
        ({"bin_ps": 10.5}, "whole number of ps"),
        ({"bin_ps": None}, "bin_ps must be given for time tags"),
        ({"range_ns": None}, "range_ns must be given for time tags"),
        ({"range_ns": 0.01}, "hold at least one bin"),
        ({"range_ns": 1e9}, "at most 2e"),
        ({"zero_delay_ns": 300.0}, r"lie in the range, -200 \.\. 200 ns"),
    ],
)
def test_what_the_data_do_not_allow_is_one_clear_error(train: Tags, asked: dict[str, Any], said: str) -> None:
    asked = {"channels": (0, 1), "bin_ps": 100, "range_ns": 200} | asked
    if "|" in said:
        assert any("no peak stands out" in w for w in correlate(train, **asked).warnings)
        return
    with pytest.raises(InputError, match=said):
        correlate(train, **asked)


def test_pulses_without_a_period_are_told_and_no_g2_zero_is_made_up(train: Tags) -> None:
    found = correlate(train, bin_ps=100, range_ns=200)
    assert found.g2_zero is None
    (told,) = [w for w in found.warnings if "repeat every" in w]
    assert "12.5" in told


def test_a_period_slightly_off_is_told_and_one_of_two_pulses_too(train: Tags) -> None:
    assert correlate(train, bin_ps=100, range_ns=200, period_ns=12.5).zero_delay_ns == pytest.approx(31.0, abs=0.01)
    assert correlate(train, bin_ps=100, range_ns=200, period_ns=12.52).zero_delay_ns == pytest.approx(31.0, abs=0.02)
    assert any("slips by" in w for w in correlate(train, bin_ps=100, range_ns=200, period_ns=12.6).warnings)
    assert any("repeat 2 times" in w for w in correlate(train, bin_ps=100, range_ns=200, period_ns=25.0).warnings)
    rng = np.random.default_rng(51)
    flat = merged({c: uncorrelated(rng, 0.05, 10**9) for c in (0, 1)}, 10**9)
    assert any("no pulses with a period of 12.5" in w for w in correlate(flat, bin_ps=100, range_ns=200, period_ns=12.5).warnings)


def test_the_period_of_the_record_is_used_and_can_be_overruled(train: Tags) -> None:
    own = dataclasses.replace(train, period_ps=12_500.0)
    assert correlate(own, bin_ps=100, range_ns=200).period_ns == 12.5
    assert correlate(own, bin_ps=100, range_ns=200, period_ns=25.0).period_ns == 25.0


def test_channels_are_the_two_that_there_are_and_an_empty_one_is_told(train: Tags) -> None:
    assert correlate(train, bin_ps=100, range_ns=200, period_ns=12.5).channels == (0, 1)
    dark = dataclasses.replace(train, names={3: "dark"})
    with pytest.raises(InputError, match=r"channel 3 .* must hold photons, got none; those with photons: 0, 1"):
        correlate(dark, (0, 3), bin_ps=100, range_ns=200)
    three = Tags([1, 2, 3], [0, 1, 2], duration_ps=10**6)
    with pytest.raises(InputError, match="name 2 of the channels 0, 1, 2"):
        correlate(three, bin_ps=100, range_ns=200)
    late = merged({0: np.arange(1500) * 1000, 1: np.arange(1500) * 1000 + 5, 2: [10**9]}, 2 * 10**9)
    with pytest.raises(InputError, match="more than two: 0, 1, 2"):
        count(dataclasses.replace(of_tags(late), blocks=lambda size: cut_up(late, 1000)), None, 100, 200)
    with pytest.raises(InputError, match="hold photons"):
        correlate(Tags([], [], duration_ps=10**9), bin_ps=100, range_ns=200)
    with pytest.raises(InputError, match="shorter than the acquisition, 1000 ns"):
        correlate(Tags([1, 2], [0, 1], duration_ps=10**6), bin_ps=100, range_ns=1000)
    with pytest.raises(InputError, match="tags, a histogram or the path of a file, got list"):
        correlate([1, 2, 3], bin_ps=100, range_ns=200)  # type: ignore[arg-type]


def cut_up(tags: Tags, size: int) -> Any:
    from qdot.tags.recording import Ending

    for i in range(0, len(tags), size):
        yield tags.time_ps[i : i + size], tags.channel[i : i + size], 0.0
    return Ending(tags.duration_ps)


def test_a_clock_coarser_than_the_bins_is_told() -> None:
    rng = np.random.default_rng(52)
    streams = {c: uncorrelated(rng, 0.01, 10**8) * 16 for c in (0, 1)}
    tags = merged(streams, 16 * 10**8)
    assert any("steps of 16 ps" in w and "bin_ps = 48" in w for w in correlate(tags, bin_ps=50, range_ns=200).warnings)
    assert not any("steps" in w for w in correlate(tags, bin_ps=48, range_ns=200).warnings)


def test_times_at_the_end_of_the_clock_do_not_overflow(road: str) -> None:
    start = 2**62 - 10**6
    tags = Tags([start, start + 300, start + 900], [0, 1, 1], duration_ps=10**6, start_ps=start - 1)
    found = correlate(tags, bin_ps=100, range_ns=2)
    assert found.tau_ns[found.counts > 0].tolist() == [0.35, 0.95]


# ---- histograms -----------------------------------------------------------------------------------------------------------------------------------------


def test_a_histogram_says_what_the_tags_say_that_made_it(train: Tags) -> None:
    tags = correlate(train, bin_ps=100, range_ns=200, period_ns=12.5)
    histogram = Histogram(tags.tau_ns - 0.05, 0.1, tags.counts, "made from tags")
    card = correlate(histogram, period_ns=12.5)
    assert card.channels is None
    assert card.normalisation == "side_peaks"
    assert card.g2_zero == pytest.approx(tags.g2_zero, rel=0.01)
    assert card.zero_delay_ns == pytest.approx(tags.zero_delay_ns, abs=0.01)
    wider = correlate(histogram, period_ns=12.5, bin_ps=500, range_ns=100)
    assert (wider.bin_ps, wider.tau_ns.size) == (pytest.approx(500), 400)
    assert wider.counts.sum() == tags.counts[np.abs(tags.tau_ns) < 100].sum()
    with pytest.raises(InputError, match="does not hold the rates"):
        correlate(histogram, period_ns=12.5, normalise="rates")
    with pytest.raises(InputError, match="multiple of the bins of the histogram, 100 ps"):
        correlate(histogram, period_ns=12.5, bin_ps=130)
    with pytest.raises(InputError, match="left out for a histogram"):
        correlate(histogram, (0, 1), period_ns=12.5)


# ---- g3 -------------------------------------------------------------------------------------------------------------------------------------------------


def test_g3_of_uncorrelated_light_is_one() -> None:
    rng = np.random.default_rng(61)
    duration = 2 * 10**10
    tags = merged({c: uncorrelated(rng, 0.003, duration) for c in range(3)}, duration)  # few: triples that share photons scatter together
    found = correlate3(tags, bin_ps=5000, range_ns=100, zero_delays_ns=(0.0, 0.0))
    expected = found.counts / found.g3
    assert chi2.sf(np.sum((found.counts - expected) ** 2 / expected), found.counts.size) > 1e-3
    assert abs(found.g3_zero - 1) < 4 * found.error


@pytest.mark.parametrize("delays", [(0, 0, 0), (0, 27_000, -41_000)])
def test_pulsed_g3_is_the_third_factorial_moment(delays: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(62)
    numbers = (0.3, 0.4, 0.2, 0.1)
    pulses = 400_000
    tags = split(rng, pulsed(rng, pulses, 12_500.0, numbers, 400.0), pulses * 12_500 + 10**5, delays)
    found = correlate3(tags, bin_ps=500, range_ns=100, period_ns=12.5)
    mean = sum(n * p for n, p in enumerate(numbers))
    moments = [sum(math.perm(n, k) * p for n, p in enumerate(numbers)) / mean**k for k in (2, 3)]
    assert found.zero_delays_ns == (pytest.approx(delays[1] / 1000, abs=0.02), pytest.approx(delays[2] / 1000, abs=0.02))
    assert abs(found.g3_zero - moments[1]) < 4 * found.error
    assert found.error / found.g3_zero < 0.03
    first, second = found.periods
    ridge = found.peaks[first == 0][0, (second != 0)] / found.level  # two of one pulse, the third of another
    assert np.mean(ridge) == pytest.approx(moments[0], rel=0.02)
    by_rates = correlate3(tags, bin_ps=500, range_ns=100, period_ns=12.5, normalise="rates")
    assert by_rates.level == pytest.approx(found.level, rel=0.01)  # with pairs of one pulse among them the mean would be 4 % higher


def test_g3_is_refused_or_told_where_it_is_not_in_the_data(train: Tags) -> None:
    with pytest.raises(InputError, match="name 3 of the channels 0, 1"):
        correlate3(train, bin_ps=500, range_ns=100)
    with pytest.raises(InputError, match="4096"):
        correlate3(train, (0, 1, 1), bin_ps=10, range_ns=100)
    with pytest.raises(InputError, match="side_peaks', 'rates', got 'long_delay'"):
        correlate3(train, (0, 1, 1), bin_ps=500, range_ns=100, period_ns=12.5, normalise="long_delay")
    rng = np.random.default_rng(63)
    dead = merged({0: np.arange(20_000) * 50_000 + rng.integers(0, 9000, 20_000), 1: uncorrelated(rng, 0.02, 10**9)}, 10**9)
    found = correlate3(dead, (1, 0, 0), bin_ps=5000, range_ns=100, normalise="rates", zero_delays_ns=(0, 0))
    assert found.g3_zero is None
    assert any("dead time" in w for w in found.warnings)


# ---- results --------------------------------------------------------------------------------------------------------------------------------------------


def test_results_are_frozen_printable_plain_and_drawn(train: Tags) -> None:
    found = correlate(train, bin_ps=100, range_ns=200, period_ns=12.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.g2_zero = 0.0  # type: ignore[misc]
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert {"g2_zero", "error", "normalisation", "zero_delay_ns", "tau_ns", "counts", "peaks", "warnings"} <= set(plain)
    assert plain["counts"] == found.counts.tolist()
    assert sum(p["coincidences"] for p in plain["peaks"]) <= found.counts.sum()
    assert f"{found.g2_zero:.4g}" in str(found)
    assert "normalised by side_peaks" in str(found)
    assert all(w in str(found) for w in found.warnings)
    ax = plt.subplots()[1]
    assert found.plot(ax) is ax
    assert ax.get_xlabel() == r"delay $\tau$ (ns)"
    np.testing.assert_array_equal(ax.patches[0].get_data().values, found.g2)
    three = correlate3(train, (0, 1, 1), bin_ps=500, range_ns=60, period_ns=12.5, zero_delays_ns=(31.0, 31.0))
    json.dumps(three.as_dict(), allow_nan=False)
    assert "g3 of channels 0, 1, 1" in str(three)
    mesh = three.plot().collections[0]
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(three.g3.shape), three.g3.T)


def test_the_page_on_tags_names_every_key_of_the_document(train: Tags) -> None:
    page = (Path(__file__).parent.parent / "docs" / "tags.md").read_text(encoding="utf-8")
    keys = page[page.index("## JSON") :]
    found = correlate(train, bin_ps=100, range_ns=200, period_ns=12.5).as_dict()
    assert [k for k in [*found, *found["peaks"][0]] if f"`{k}`" not in keys] == []


# ---- measured files -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.parametrize("bin_ps", [1, 100, 256])
def test_the_measured_hbt_file(shared_data: Path, bin_ps: int) -> None:
    path = shared_data / "eta" / "200204_HH400_T2_320MHz_HBT.timeres"
    found = correlate(path, bin_ps=bin_ps, range_ns=100, period_ns=3.125)
    others = [p.coincidences for p in found.peaks if p.index != 0]
    assert found.zero_delay_ns == pytest.approx(23.9, abs=0.05)
    assert found.coincidences_zero == 2
    assert len(others) == 62
    assert np.mean(others) == pytest.approx(499.4, abs=0.05)
    assert round(found.g2_zero, 4) == 0.0040
    assert round(found.by["rates"], 3) == 0.018
    assert correlate(path, bin_ps=bin_ps, range_ns=100, period_ns=3.125, normalise="rates").g2_zero == found.by["rates"]
    (told,) = [w for w in found.warnings if "normalisations differ" in w]
    assert "0.004 by side_peaks, 0.018 by rates" in told
    assert "4.46 times" in told
    assert found.interval == (pytest.approx(0.0014, abs=1e-4), pytest.approx(0.0093, abs=1e-4))


@pytest.mark.data
def test_the_measured_lamp_is_flat_beyond_the_dead_time(shared_data: Path) -> None:
    found = correlate(shared_data / "picoquant" / "hydraharp_v30_t2.ptu", bin_ps=100_000, range_ns=100_000)
    assert found.photons == {0: 305565}
    assert found.dead_time_ns == pytest.approx(81.134)
    assert found.g2_zero is None
    after = found.tau_ns > 1000  # afterpulses before
    assert np.mean(found.g2[after]) == pytest.approx(1.0, abs=0.005)
    for bin_ps, range_ns in ((500, 120), (1000, 100), (1000, 120), (1000, 150), (1000, 300), (1000, 2000)):
        near = correlate(shared_data / "picoquant" / "hydraharp_v30_t2.ptu", bin_ps=bin_ps, range_ns=range_ns)
        assert not any("repeat every" in w for w in near.warnings), (bin_ps, range_ns)
    expected = (found.counts / found.g2)[after]
    assert chi2.sf(np.sum((found.counts[after] - expected) ** 2 / expected), after.sum()) > 1e-3


@pytest.mark.data
def test_the_measured_histograms_of_a_card(shared_data: Path) -> None:
    folder = shared_data / "sps-quality"
    for name in ("10uW_12000cps", "8uW_5100cps"):
        found = correlate(folder / "snapshots" / f"{name}.txt", period_ns=12.5)
        assert abs(found.zero_delay_ns - 61.09) < 3 * found.zero_delay_error_ns
        summed = correlate(qdot.read_histogram(folder / "power_series" / f"{name}.csv"), period_ns=12.5)
        assert [p.coincidences for p in found.peaks] == [p.coincidences for p in summed.peaks]
    glitches = correlate(folder / "snapshots" / "B1m3_2_auto_0p5uW_CX2-CX2.txt")
    assert any("13 (455 counts" in w and "latched" in w for w in glitches.warnings)
    card = read_card(folder / "snapshots" / "B1m3_2_auto_0p5uW_CX2-CX2.txt")
    assert correlate(card.histogram(leave_out=[u.number for u in card.glitches])).counts.sum() == 5209 - 455 - 297 - 96


# ---- speed ----------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_million_photons_take_less_than_half_a_second(road: str) -> None:
    rng = np.random.default_rng(70)
    times = np.sort(rng.integers(0, 10**13, 10_000_000))
    tags = Tags(times, rng.integers(0, 2, times.size).astype(np.int16), 10**13)
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        correlate(tags, (0, 1), bin_ps=256, range_ns=500)
        taken.append(time.perf_counter() - start)
    assert min(taken) < (0.5 if road == "compiled" else 3.0)
