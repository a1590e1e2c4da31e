"""Records of time tags and their files: what is checked, that nothing is lost or guessed, and what instruments write, made by hand in instruments.py."""

from __future__ import annotations

import dataclasses
import math
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from instruments import WRAP, t2_records, t3_records, write_phu, write_ptu

import qdot
from qdot import InputError, Tags, open_tags, read_card, read_tags, save_tags
from qdot.tags import merged
from qdot.tags.recording import Reading

ENDINGS = (".npz", ".h5", ".csv")


def some_tags(n: int = 500, seed: int = 1, **about: Any) -> Tags:
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(-(10**6), 2**61, n))
    about = {"duration_ps": 2**61 + 10**7, "start_ps": -(10**6), "period_ps": 12345.678, "names": {-3: "H", 7: "", 9: "dark"}} | about
    return Tags(time, rng.choice([-3, 0, 7], n), **about)


def same(a: Tags, b: Tags) -> bool:
    arrays = np.array_equal(a.time_ps, b.time_ps) and np.array_equal(a.channel, b.channel)
    return arrays and all(getattr(a, k) == getattr(b, k) for k in ("duration_ps", "start_ps", "period_ps", "names"))


def in_blocks(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    parts = list(Reading(open_tags(path), size))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


# ---- the record -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "channel", "about", "said"),
    [
        ([0, 5, 4], [0, 0, 0], {}, "backwards, got 4 ps after 5 ps (record 2 of 3"),
        ([0.0, math.nan], [0, 0], {}, "nan or infinity at place 1"),
        ([0.0, 1.5], [0, 0], {}, "whole numbers, got np.float64(1.5) at place 1"),
        ([0, 11], [0, 0], {}, "lie within the acquisition, got 0 .. 11 ps in 0 .. 10 ps"),
        ([-1, 5], [0, 0], {}, "lie within the acquisition"),
        (np.array([1, 2**63 + 5], np.uint64), [0, 0], {}, "+-2^62"),
        ([1, 2**70], [0, 0], {}, "+-2^62"),
        ([1.0, 2.0**53 + 2], [0, 0], {"duration_ps": 2**60}, "2^53"),
        (np.array([1, 2**25], np.float32), [0, 0], {"duration_ps": 2**60}, "2^24"),
        ([1, 2], [0], {}, "one entry for each time, got 1 for 2"),
        ([1, 2], [0, 40000], {}, "-32768 and 32767, got 40000"),
        ([[1, 2]], [0, 0], {}, "flat"),
        (["1", "2"], [0, 0], {}, "whole numbers"),
        ([1, 2], [0, 0], {"duration_ps": 0}, "duration_ps"),
        ([1, 2], [0, 0], {"period_ps": -1.0}, "period_ps"),
    ],
)
def test_what_is_no_record_is_told_and_not_repaired(time: Any, channel: Any, about: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match="Tags") as told:
        Tags(time, channel, **({"duration_ps": 10} | about))
    assert said in str(told.value)


def test_a_record_is_frozen_and_knows_its_channels_even_dark_ones() -> None:
    tags = Tags([0, 3, 3, 9], [2, -1, 2, 2], duration_ps=1000, names={5: "dark"})
    assert tags.counts == {-1: 1, 2: 3, 5: 0}
    assert tags.channels == (-1, 2, 5)
    assert tags.times(2).tolist() == [0, 3, 9]
    assert tags.times(5).size == 0
    assert tags.rate_per_ns(2) == 3.0
    assert (tags.time_ps.dtype, tags.channel.dtype, len(tags)) == (np.int64, np.int16, 4)
    assert "channel 5 (dark): 0" in str(tags)
    with pytest.raises(dataclasses.FrozenInstanceError):
        tags.duration_ps = 5  # type: ignore[misc]
    with pytest.raises(InputError, match="'-1', '2', '5', got 4"):
        tags.times(4)
    assert len(Tags([], [], duration_ps=10)) == 0


def test_merging_streams_keeps_every_photon_with_its_channel() -> None:
    rng = np.random.default_rng(3)
    streams = {c: rng.integers(0, 1000, 200) for c in (4, 0, -2)} | {1: np.zeros(0)}
    tags = merged(streams, 1000, period_ps=50.0, source="three detectors")
    assert tags.counts == {-2: 200, 0: 200, 1: 0, 4: 200}
    for c, t in streams.items():
        assert np.array_equal(tags.times(c), np.sort(t))
    assert (tags.period_ps, tags.source) == (50.0, "three detectors")


# ---- NumPy, HDF5, CSV -----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("about", [{}, {"period_ps": None, "names": {}}])
def test_a_saved_record_is_read_back_whatever_the_file_is_called(tmp_path: Path, ending: str, about: dict[str, Any]) -> None:
    tags = some_tags(**about)
    save_tags(tags, tmp_path / f"a{ending}")
    other = (tmp_path / f"a{ending}").rename(tmp_path / "b.timeres")
    assert same(read_tags(other), tags)
    for size in (1, 7, 499, 500, 10**6):
        time, channel = in_blocks(other, size)
        assert np.array_equal(time, tags.time_ps), size
        assert np.array_equal(channel, tags.channel), size


def test_an_unknown_ending_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.npz, \.h5, \.hdf5, \.csv, got 'a\.txt'"):
        save_tags(some_tags(), tmp_path / "a.txt")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_without_photons_is_told(tmp_path: Path, ending: str) -> None:
    save_tags(Tags([], [], duration_ps=10), tmp_path / f"a{ending}")
    with pytest.raises(InputError, match="must hold photons, got none"):
        read_tags(tmp_path / f"a{ending}")


@pytest.mark.parametrize("ending", [".npz", ".h5"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_file_that_is_cut_short_is_told(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f"a{ending}"
    save_tags(some_tags(20_000), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="complete"):
        read_tags(path)


def test_missing_empty_and_unreadable_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="readable file"):
        read_tags(tmp_path / "none.ptu")
    with pytest.raises(InputError, match="readable file"):
        read_tags(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(InputError, match="empty file"):
        read_tags(tmp_path / "empty")
    (tmp_path / "noise").write_bytes(bytes(range(128, 256)) * 10)
    with pytest.raises(InputError, match="text file in UTF-8, or of a known format"):
        read_tags(tmp_path / "noise")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"time_ps": [1, 2]}, "arrays time_ps and channel, got time_ps"),
        ({"time_ps": [1, 2], "channel": [0]}, "one entry for each time"),
        ({"time_ps": [[1, 2]], "channel": [0, 0]}, r"shape \(1, 2\)"),
        ({"time_ps": [1.0, math.nan], "channel": [0, 0]}, "finite"),
        ({"time_ps": [2, 1], "channel": [0, 0]}, "backwards"),
        ({"time_ps": [1, 2], "channel": [0, 10**6]}, "lie between"),
        ({"time_ps": [1, 2], "channel": [0, 0], "duration_ps": -4}, "duration_ps"),
        ({"time_ps": [1, 20], "channel": [0, 0], "duration_ps": 10}, "hold every photon"),
        ({"time_ps": [1, 2], "channel": [0, 0], "names": "H, V"}, "names"),
        ({"time_ps": np.array([1, 2**63], np.uint64), "channel": [0, 0]}, r"\+-2\^62"),
        ({"time_ps": np.array([{}, {}]), "channel": [0, 0]}, "one length"),
    ],
)
def test_arrays_in_a_file_are_checked_like_any(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=said):
        read_tags(tmp_path / "a.npz")


def test_plain_arrays_and_foreign_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    np.save(tmp_path / "one.npy", np.array([3, 8, 8]))
    one = read_tags(tmp_path / "one.npy")
    assert (one.time_ps.tolist(), one.counts, one.start_ps, one.duration_ps) == ([3, 8, 8], {0: 3}, 3, 5)
    np.save(tmp_path / "two.npy", np.array([[3, 1], [8, 0]]))
    assert read_tags(tmp_path / "two.npy").counts == {0: 1, 1: 1}
    with h5py.File(tmp_path / "photon.h5", "w") as file:  # the layout of Photon-HDF5
        file["photon_data/timestamps"] = np.array([2, 5, 1000])
        file["photon_data/detectors"] = np.array([0, 1, 0], np.uint8)
        file["photon_data/timestamps_specs/timestamps_unit"] = 12.5e-9
        file["acquisition_duration"] = 1.5e-5
    photon = read_tags(tmp_path / "photon.h5")
    assert (photon.time_ps.tolist(), photon.duration_ps) == ([25_000, 62_500, 12_500_000], 15_000_000)


@pytest.mark.parametrize("unit", ["ps", "ns", "us", "s"])
@pytest.mark.parametrize("mark", [",", ";", "\t", " "])
@pytest.mark.parametrize("largest", [10**9, 2**61])
def test_decimal_times_are_taken_to_the_picosecond(tmp_path: Path, unit: str, mark: str, largest: int) -> None:
    rng = np.random.default_rng(5)
    exact = sorted(rng.integers(0, largest, 300).tolist())
    power = {"ps": 0, "ns": 3, "us": 6, "s": 12}[unit]
    rows = [f"{Decimal(t).scaleb(-power):f}{mark}{i % 2}" for i, t in enumerate(exact)]
    path = tmp_path / "tags.csv"
    path.write_text("\n".join(["# recorded by hand", f"time_{unit}{mark}channel", *rows, ""]))
    assert read_tags(path).time_ps.tolist() == exact
    assert read_tags(path).warnings == ()
    assert in_blocks(path, 13)[0].tolist() == exact


def test_fractions_of_a_picosecond_are_rounded_and_told(tmp_path: Path) -> None:
    for unit, rows in (("ps", ["1.25,0", "3.5,0", "9,0"]), ("ns", ["0.00125,0", "0.0036,0", "0.009,0"])):
        (tmp_path / "a.csv").write_text("\n".join([f"time_{unit},channel", *rows]))
        tags = read_tags(tmp_path / "a.csv")
        assert tags.time_ps.tolist() == [1, 4, 9]
        assert "fractions of a picosecond" in tags.warnings[0]


def test_whole_numbers_written_with_a_point_or_an_exponent_keep_all_digits(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time_ps,channel\n1.0,0\n2e3,1.0\n1234567890123456789.0,0\n")
    tags = read_tags(tmp_path / "a.csv")
    assert tags.time_ps.tolist() == [1, 2000, 1234567890123456789]
    assert tags.channel.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,0\n2,1\n", "line 1 must name the columns"),
        ("time,channel\n1,0\n", "column of times whose name ends in its unit"),
        ("time_ps,time_ns\n1,0\n", "column of times"),
        ("time_ps,detector\n1,0\n", "must be one of 'time_ps', 'detector', got 'channel'"),
        ("time_ps,channel\n1,0\n2\n", "line 3 must hold 2 columns, got 1"),
        ("time_ps,channel\n1,0\nnan,0\n", "line 3 time_ps must be a finite number"),
        ("time_ns,channel\n1,0\nnan,0\n", "line 3 time_ns must be a finite number"),
        ("time_ps,channel\n1,0\nx,0\n", "line 3 time_ps must be a finite number, got 'x'"),
        ("time_ps,channel\n1,0\n2,0.5\n", "line 3 channel must be a whole number"),
        ("time_ps,channel\n1,0\n99999999999999999999,0\n", "2^62 ps"),
        ("time_s,channel\n1,0\n9999999999,0\n", "2^62 ps"),
        ("time_ps,channel\n5,0\n2,0\n", "backwards, got 2 ps after 5 ps at record 1"),
        ("# duration_ps = 3\ntime_ps,channel\n1,0\n9,0\n", "hold every photon"),
        ("# duration_ps = soon\ntime_ps,channel\n1,0\n9,0\n", "duration_ps must be a finite number"),
        ("time_ps,channel\n", "hold photons"),
        ("# nothing\n", "empty file"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError) as told:
        read_tags(tmp_path / "a.csv")
    assert said in str(told.value)
    assert "a.csv" in str(told.value)


def test_one_column_is_one_channel_and_comments_may_stand_anywhere(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# duration_ps: 1000\ntime_ps\n1\n# paused\n\n3\n")
    tags = read_tags(tmp_path / "a.csv")
    assert (tags.counts, tags.duration_ps, tags.time_ps.tolist()) == ({0: 2}, 1000, [1, 3])


# ---- PicoQuant ------------------------------------------------------------------------------------------------------------------------------------------

T2, T3 = [k for k in WRAP if k.endswith("T2")], [k for k in WRAP if k.endswith("T3")]


@pytest.mark.parametrize("kind", T2)
@pytest.mark.parametrize("unit_ps", [1, 4, 25, 82.3])
def test_t2_times_and_channels_are_those_of_the_records(tmp_path: Path, kind: str, unit_ps: float) -> None:
    rng = np.random.default_rng(11)
    ticks = np.cumsum(rng.integers(0, WRAP[kind] // 3, 400))
    ticks[200:] += 5 * WRAP[kind]  # a pause of several overflows
    channel = rng.integers(0, 2, 400)
    path = write_ptu(tmp_path / "a.dat", kind, t2_records(kind, ticks.tolist(), channel.tolist(), markers=[1000, int(ticks[300])]), unit_ps * 1e-12)
    tags = read_tags(path)
    exact = np.array([round(Decimal(int(t)) * Decimal(str(unit_ps))) for t in ticks])
    assert np.abs(tags.time_ps - exact).max() <= (0 if unit_ps == int(unit_ps) else 1)
    assert np.array_equal(tags.channel, channel)
    assert tags.warnings == ("2 markers are left out: not photons",)
    for size in (1, 3, 50, 401):
        assert np.array_equal(in_blocks(path, size)[0], tags.time_ps), size


def test_the_sync_input_of_a_t2_file_is_a_channel_of_its_own(tmp_path: Path) -> None:
    ticks, channel = [10, 20, 30, 40], ["sync", 0, "sync", 1]
    tags = read_tags(write_ptu(tmp_path / "a.ptu", "HydraHarp 2 T2", t2_records("HydraHarp 2 T2", ticks, channel), 1e-12))
    assert tags.channel.tolist() == [-1, 0, -1, 1]


@pytest.mark.parametrize("kind", T3)
def test_t3_times_are_syncs_times_period_plus_the_time_since(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(12)
    period_ps, fine_ps = 12_500.37, 4.0
    syncs = np.sort(rng.integers(0, 40 * WRAP[kind], 500))
    syncs[100:103] = syncs[100]
    since, channel = rng.integers(0, 3000, 500), rng.integers(0, 2, 500)
    since[100:103] = 500, 200, 400  # within one sync the channels come in no order
    path = write_ptu(tmp_path / "a.ptu", kind, t3_records(kind, syncs.tolist(), since.tolist(), channel.tolist()), period_ps * 1e-12, fine_ps * 1e-12)
    tags = read_tags(path)
    exact = syncs * period_ps + since * fine_ps
    order = np.argsort(exact, kind="stable")
    assert np.abs(tags.time_ps - exact[order]).max() <= 0.5 + 1e-3
    assert tags.period_ps == pytest.approx(period_ps, rel=1e-12)
    assert len(tags.channels) == 2
    for size in (1, 2, 50, 501):
        assert np.array_equal(in_blocks(path, size)[0], tags.time_ps), size


def test_a_t3_header_that_contradicts_its_records_is_told_and_can_be_corrected(tmp_path: Path) -> None:
    path = write_ptu(tmp_path / "a.ptu", "MultiHarp T3", t3_records("MultiHarp T3", [1, 5, 9], [100, 6000, 300], [0, 1, 0]), 12.5e-9, 16e-12)
    with pytest.raises(InputError, match=r"sync every 12\.5 ns .* up to 96 ns after"):
        read_tags(path)
    assert read_tags(path, sync_period_ps=100_000).time_ps.tolist() == [101_600, 596_000, 904_800]
    with pytest.raises(InputError, match="sync_period_ps must be a finite number > 0"):
        read_tags(path, sync_period_ps=0)


def test_a_t3_file_without_a_sync_is_told(tmp_path: Path) -> None:
    path = write_ptu(tmp_path / "a.ptu", "MultiHarp T3", t3_records("MultiHarp T3", [1, 5], [1, 1], [0, 1]), 0.0)
    with pytest.raises(InputError, match="must be the period of the sync in s, got 0"):
        read_tags(path)
    save_tags(some_tags(), tmp_path / "a.npz")
    with pytest.raises(InputError, match="PTU file in T3 mode"):
        read_tags(tmp_path / "a.npz", sync_period_ps=10)


def test_a_ptu_file_cut_short_is_read_as_far_as_it_goes_and_told(tmp_path: Path) -> None:
    records = t2_records("MultiHarp T2", range(10, 1010, 10), [0, 1] * 50)
    path = write_ptu(tmp_path / "a.ptu", "MultiHarp T2", records, 1e-12, TTResult_StopAfter=5000)
    assert read_tags(path).duration_ps == 5 * 10**12
    whole = path.read_bytes()
    path.write_bytes(whole[:-202])
    tags = read_tags(path)
    assert len(tags) == 49
    assert tags.duration_ps == 491
    assert "cut short: it holds 49 of 100 records" in tags.warnings[0]
    assert "within a record" not in " ".join(read_tags(write_ptu(path, "MultiHarp T2", records, 1e-12)).warnings)
    path.write_bytes(whole[:200])
    with pytest.raises(InputError, match="complete PTU header"):
        read_tags(path)
    unclosed = write_ptu(tmp_path / "b.ptu", "MultiHarp T2", records, 1e-12, count=0)
    assert len(read_tags(unclosed)) == 100
    assert "not closed" in read_tags(unclosed).warnings[0]
    with pytest.raises(InputError, match="hold photons"):
        read_tags(write_ptu(tmp_path / "c.ptu", "MultiHarp T2", [], 1e-12))


def test_curves_of_a_phu_file(tmp_path: Path) -> None:
    counts = np.arange(50)
    path = write_phu(tmp_path / "a.phu", [counts, np.zeros(50)], 16e-12)
    card = read_card(path)
    assert np.array_equal(card.counts[:, 0], counts)
    assert card.bin_width_ns == pytest.approx(0.016, rel=1e-12)
    assert card.left_ns[-1] == pytest.approx(49 * 0.016, rel=1e-12)
    with pytest.raises(InputError, match="a histogram"):
        read_tags(path)
    both = write_phu(tmp_path / "b.phu", [counts, counts], 16e-12)
    with pytest.raises(InputError, match="curves with counts, 0, 1"):
        read_card(both)
    assert read_card(both, curve=1).totals.tolist() == [counts.sum()]
    both.write_bytes(both.read_bytes()[:-8])
    with pytest.raises(InputError, match="cut short"):
        read_card(both, curve=1)


# ---- Swabian --------------------------------------------------------------------------------------------------------------------------------------------


def test_a_ttbin_file_without_the_vendors_library_says_how_to_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Swabian", "TimeTagger"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, start in (("a.ttbin", b"\0" * 64), ("b.dat", b"SITT" + b"\0" * 60)):
        (tmp_path / name).write_bytes(start)
        with pytest.raises(InputError, match=r"FileReader .*np\.savez.*docs/tags\.md"):
            read_tags(tmp_path / name)


def test_a_ttbin_file_goes_through_the_vendors_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time, channel, kind = np.arange(100, 1100, 10), np.array([1, -2] * 50), np.zeros(100, np.uint8)
    kind[17] = 4  # tags were lost

    class Buffer:
        def __init__(self, part: slice) -> None:
            self.part = part

        def getTimestamps(self) -> np.ndarray:
            return time[self.part]

        def getChannels(self) -> np.ndarray:
            return channel[self.part].astype(np.int32)

        def getEventTypes(self) -> np.ndarray:
            return kind[self.part]

    class FileReader:
        def __init__(self, path: str) -> None:
            self.done = 0
            assert path.endswith("a.ttbin")

        def hasData(self) -> bool:
            return self.done < time.size

        def getData(self, n_events: int) -> Buffer:
            part = slice(self.done, self.done + min(n_events, 30))
            self.done = part.stop
            return Buffer(part)

    library = ModuleType("TimeTagger")
    library.FileReader = FileReader  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "Swabian", None)
    monkeypatch.setitem(sys.modules, "TimeTagger", library)
    (tmp_path / "a.ttbin").write_bytes(b"SITT")
    tags = read_tags(tmp_path / "a.ttbin")
    assert np.array_equal(tags.time_ps, np.delete(time, 17))
    assert tags.counts == {-2: 49, 1: 50}
    assert (tags.start_ps, tags.duration_ps) == (100, 990)
    assert "lost tags: 1 mark" in tags.warnings[0]


# ---- cards ----------------------------------------------------------------------------------------------------------------------------------------------


def snapshots(tmp_path: Path, counts: np.ndarray, width: float = 0.256) -> Path:
    rows = ["\t".join([f"{width * i:g}", *map(str, row)]) for i, row in enumerate(counts.tolist())]
    (tmp_path / "snap.txt").write_text("\n".join(rows) + "\n")
    return tmp_path / "snap.txt"


def test_latched_snapshots_are_found_and_summed_in_unless_left_out_by_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(21)
    counts = rng.poisson(60 / 400, (400, 50))
    counts[100:120, 12] += rng.poisson(12, 20)
    counts[:, 49] = rng.poisson(5 / 400, 400)
    card = read_card(snapshots(tmp_path, counts))
    assert [u.number for u in card.glitches] == [13]
    assert [u.number for u in card.short] == [50]
    assert np.array_equal(card.histogram().counts, counts.sum(axis=1))
    kept = card.histogram(leave_out=[13])
    assert np.array_equal(kept.counts, np.delete(counts, 12, axis=1).sum(axis=1))
    assert "without snapshots 13" in kept.source
    said = " ".join(card.warnings)
    assert "latched detector" in said
    assert "13 (" in said
    with pytest.raises(InputError, match=r"1 \.\. 50, got 51"):
        card.histogram(leave_out=[51])


def test_snapshots_that_only_scatter_and_drift_are_no_glitches(tmp_path: Path) -> None:
    rng = np.random.default_rng(22)
    found = 0
    for _ in range(20):
        counts = rng.poisson(np.linspace(2.0, 1.0, 60)[None, :] * np.ones((40, 1)))
        card = read_card(snapshots(tmp_path, counts))
        found += len(card.glitches) + len(card.short)
    assert found == 0  # 1200 snapshots at five standard errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0\t1\n0.1\t2\n0.3\t1\n", "follow the bin before"),
        ("0\t1\n0.1\t-2\n0.2\t1\n", "whole counts >= 0"),
        ("0\t1\n0.1\t0.5\n0.2\t1\n", "whole counts >= 0"),
        ("0\t1\n0.1\t1\t4\n0.2\t1\n", "line 2 must hold 2 columns, got 3"),
        ("0\t1\n", "at least 2 bins"),
        ("0\t1\nx\t2\n", "line 2 must hold finite numbers"),
    ],
)
def test_a_wrong_snapshot_line_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(InputError) as told:
        read_card(tmp_path / "a.txt")
    assert said in str(told.value)


# ---- measured files -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_the_measured_files(shared_data: Path) -> None:
    hbt = read_tags(shared_data / "eta" / "200204_HH400_T2_320MHz_HBT.timeres")
    assert hbt.counts == {0: 159298, 1: 224721}
    assert (hbt.duration_ps, hbt.warnings) == (10**12, ())
    lamp = read_tags(shared_data / "picoquant" / "hydraharp_v30_t2.ptu")
    assert lamp.counts == {0: 305565}
    assert lamp.duration_s == 5.0
    with pytest.raises(InputError, match=r"sync every 12\.5126 ns \(79\.92 MHz, divider 8\), yet photons come up to 524\.256 ns"):
        read_tags(shared_data / "eta" / "200204_HH400_T3_320MHz_HBT.timeres")
    for size in (1000, 50_000):
        time, channel = in_blocks(shared_data / "eta" / "200204_HH400_T2_320MHz_HBT.timeres", size)
        assert np.array_equal(time, hbt.time_ps)
        assert np.array_equal(channel, hbt.channel)


@pytest.mark.data
def test_the_glitches_of_the_measured_snapshots(shared_data: Path) -> None:
    folder = shared_data / "sps-quality" / "snapshots"
    card = read_card(folder / "B1m3_2_auto_0p5uW_CX2-CX2.txt")
    assert [u.number for u in card.glitches] == [13, 75, 28]
    assert [u.counts for u in card.glitches] == [455, 297, 96]
    assert card.histogram().counts.sum() == 5209
    for name, last in (("10uW_12000cps", [121]), ("8uW_5100cps", [291, 292])):
        other = read_card(folder / f"{name}.txt")
        assert (other.glitches, [u.number for u in other.short]) == ((), last)
        summed = qdot.read_histogram(shared_data / "sps-quality" / "power_series" / f"{name}.csv")
        assert np.array_equal(other.histogram().counts, summed.counts)
