"""Tags in files of NumPy and HDF5, written so that nothing is lost and read in blocks.

An NPZ or HDF5 file holds `time_ps` and `channel` and, as further entries or attributes, duration_ps, start_ps, period_ps, names; HDF5 in the
Photon-HDF5 layout is read too. NPY holds (n,) times in ps or (n, 2) times and channels. Without duration_ps the acquisition is taken to last from
the first photon to the last.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from qdot.errors import InputError, bad
from qdot.tags.header import channels_of, ending_of, entries_of, header_of
from qdot.tags.recording import Block, Ending, Recording
from qdot.tags.stream import LARGEST_PS, Tags, whole

Pieces = Iterator[tuple[np.ndarray, np.ndarray | None, float]]
"""Times as they stand in the file, channels (None where the file has one channel only), share that has been read."""


def save_npz(tags: Tags, path: Path) -> None:
    """Write a record; the arrays are not compressed, so that they are read at the speed of the disk."""
    with path.open("wb") as file:
        np.savez(file, time_ps=tags.time_ps, channel=tags.channel, **entries_of(tags))


def save_hdf5(tags: Tags, path: Path) -> None:
    """Write a record as two datasets with attributes."""
    with _h5py().File(path, "w") as file:
        file["time_ps"], file["channel"] = tags.time_ps, tags.channel
        file.attrs.update(entries_of(tags))


# ---- reading: what is common --------------------------------------------------------------------------------------------------------------------------


def _recording(path: Path, entries: Mapping[str, Any], pieces: Callable[[int], Pieces], unit_ps: float = 1) -> Recording:
    """The recording of a file whose arrays `pieces` yields; `entries` is what stands beside them."""
    header = header_of(path, entries)

    def blocks(size: int) -> Generator[Block, None, Ending]:
        first = last = None
        for time, channel, share in pieces(size):
            ps = _whole_ps(path, time, unit_ps)
            numbers = np.zeros(ps.size, np.int16) if channel is None else channels_of(path, channel)
            if numbers.size != ps.size:
                raise bad(f"{path} channel", "have one entry for each time", f"{numbers.size} for {ps.size}", "write both again")
            if ps.size:
                first, last = int(ps[0]) if first is None else first, int(ps[-1])
            yield ps, numbers, share
        return ending_of(header, first, last)

    return Recording(str(path), blocks, header.period_ps, header.names)


def _whole_ps(path: Path, time: np.ndarray, unit_ps: float) -> np.ndarray:
    """Times of a file in whole ps."""
    ticks = whole(f"{path} time_ps" if unit_ps == 1 else f"{path} timestamps", time)
    if unit_ps == 1:
        return ticks
    if ticks.size and float(np.abs(ticks).max()) * unit_ps > LARGEST_PS:
        raise bad(f"{path} timestamps", "lie within 2^62 ps (53 days)", f"{ticks.max()} units of {unit_ps:g} ps", "check the unit")
    return ticks * int(unit_ps) if unit_ps == int(unit_ps) else np.rint(ticks * np.longdouble(unit_ps)).astype(np.int64)


# ---- NumPy ---------------------------------------------------------------------------------------------------------------------------------------------


def open_npz(path: Path) -> Recording:
    """An NPZ file, its large arrays read piece by piece."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = [n.removesuffix(".npy") for n in archive.namelist()]
            about: dict[str, Any] = {key: _small(archive, key) for key in ("duration_ps", "start_ps", "period_ps", "names") if key in held}
    except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
        raise bad(str(path), "be a complete NPZ file", str(error) or type(error).__name__, "save it again") from None
    for key in ("time_ps", "channel"):
        if key not in held:
            raise bad(str(path), "hold the arrays time_ps and channel", ", ".join(held) or "nothing", "save with qdot.save_tags, or with np.savez")

    def pieces(size: int) -> Pieces:
        try:
            with zipfile.ZipFile(path) as archive, archive.open("time_ps.npy") as time, archive.open("channel.npy") as channel:
                for t, c in zip(_rows(time, size), _rows(channel, size), strict=True):
                    yield t[0], c[0], t[1]
        except (zipfile.BadZipFile, zipfile.zlib.error, OSError, EOFError) as error:  # type: ignore[attr-defined]
            raise bad(str(path), "be a complete NPZ file", str(error) or type(error).__name__, "save it again") from None
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise bad(str(path), "hold time_ps and channel of one length", str(error), "save it again") from None

    return _recording(path, about, pieces)


def _small(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    with archive.open(f"{key}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(shape, type) at the beginning of NumPy's format, after which the numbers follow."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    if dtype.hasobject or dtype.kind not in "iuf" or (is_fortran and len(shape) > 1):
        raise ValueError(f"an array of {dtype} and shape {shape}")
    return shape, dtype


def _rows(file: IO[bytes], size: int) -> Iterator[tuple[np.ndarray, float]]:
    """The entries of a flat array, `size` at a time, with the share that has been read."""
    shape, dtype = _header(file)
    if len(shape) != 1:
        raise ValueError(f"an array of shape {shape}")
    done, n = 0, shape[0]
    while done < n:
        take = min(size, n - done)
        data = file.read(take * dtype.itemsize)
        if len(data) < take * dtype.itemsize:
            raise EOFError(f"the file ends after {done + len(data) // dtype.itemsize} of {n} records")
        done += take
        yield np.frombuffer(data, dtype), done / n


def open_npy(path: Path) -> Recording:
    """An NPY file: (n,) times in ps, or (n, 2) times and channels."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise bad(str(path), "be a complete NPY file of numbers", str(error), "save it again with np.save") from None
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 2):
        raise bad(str(path), "hold (n,) times in ps or (n, 2) times and channels", f"shape {array.shape}", "save it again, or as NPZ with time_ps and channel")

    def pieces(size: int) -> Pieces:
        for start in range(0, len(array), size):
            part = np.asarray(array[start : start + size])
            yield part if array.ndim == 1 else part[:, 0], None if array.ndim == 1 else part[:, 1], (start + len(part)) / len(array)

    return _recording(path, {}, pieces)


# ---- HDF5 ----------------------------------------------------------------------------------------------------------------------------------------------


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise bad("HDF5", "come with the package h5py", "none installed", "install it: pip install h5py") from None
    return h5py


def open_hdf5(path: Path) -> Recording:
    """An HDF5 file with time_ps and channel, or in the Photon-HDF5 layout."""
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            held = list(file)
            is_photon = "photon_data" in file and "timestamps" in file["photon_data"]
            about = dict(file.attrs) if not is_photon else {}
            unit_ps = 1.0
            if is_photon:
                data = file["photon_data"]
                unit_ps = float(data["timestamps_specs/timestamps_unit"][()]) * 1e12
                if "acquisition_duration" in file:
                    about["duration_ps"] = round(float(file["acquisition_duration"][()]) * 1e12)
                held = [f"photon_data/{k}" for k in data]
    except (OSError, KeyError) as error:
        raise bad(str(path), "be a complete HDF5 file of tags", str(error), "save it again") from None
    time_name, channel_name = ("photon_data/timestamps", "photon_data/detectors") if is_photon else ("time_ps", "channel")
    if not is_photon and not {"time_ps", "channel"} <= set(held):
        raise bad(str(path), "hold the datasets time_ps and channel", ", ".join(held) or "nothing", "rename them, or save with qdot.save_tags")

    def pieces(size: int) -> Pieces:
        try:
            with h5py.File(path, "r") as file:
                time, channel = file[time_name], file.get(channel_name)
                if channel is not None and channel.shape != time.shape:
                    raise bad(f"{path} {channel_name}", "have one entry for each time", f"{channel.shape} and {time.shape}", "write both again")
                for start in range(0, time.shape[0], size):
                    part = slice(start, start + size)
                    yield time[part], None if channel is None else channel[part], min(1.0, (start + size) / time.shape[0])
        except OSError as error:
            raise bad(str(path), "be a complete HDF5 file", str(error), "save it again") from None

    return _recording(path, about, pieces, unit_ps if abs(unit_ps - round(unit_ps)) > 1e-9 * unit_ps else round(unit_ps))
