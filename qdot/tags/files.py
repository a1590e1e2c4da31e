"""Files of tags by their content: which reader a file needs, whatever its name ends in, and how a record is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qdot.errors import bad
from qdot.tags import picoquant, plain, swabian, text
from qdot.tags.recording import Recording, gathered
from qdot.tags.stream import Tags

HISTOGRAM = "histogram"
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PQTTTR", "ptu"),
    (b"PQHISTO", HISTOGRAM),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"PK\x03\x04", "npz"),
    (b"\x93NUMPY", "npy"),
    (b"SITT", "ttbin"),
)
"""First bytes of a file and what it is; anything else that is text is read as text."""
READERS: dict[str, Callable[[Path], Recording]] = {
    "hdf5": plain.open_hdf5,
    "npz": plain.open_npz,
    "npy": plain.open_npy,
    "ttbin": swabian.open_ttbin,
    "text": text.open_csv,
}
WRITERS: dict[str, Callable[[Tags, Path], None]] = {".npz": plain.save_npz, ".h5": plain.save_hdf5, ".hdf5": plain.save_hdf5, ".csv": text.save_csv}


def kind_of(path: Path) -> str:
    """ "ptu", "histogram" (PHU), "hdf5", "npz", "npy", "ttbin" or "text", by the first bytes; raises InputError for a file that cannot be read or is empty."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise bad(str(path), "be a readable file", error.strerror or "nothing", "check the path") from None
    if not start:
        raise bad(str(path), "hold tags", "an empty file", "copy it again")
    found = next((kind for magic, kind in MAGIC if start.startswith(magic)), None)
    return found or ("ttbin" if path.suffix == ".ttbin" else "text")


def open_tags(path: str | Path, sync_period_ps: float | None = None) -> Recording:
    """A file of tags to go through in blocks, so that it need not fit into memory; `qdot.correlate` takes it like a path. Arguments as in `read_tags`."""
    path = Path(path)
    kind = kind_of(path)
    if kind == "ptu":
        return picoquant.open_ptu(path, sync_period_ps)
    if sync_period_ps is not None:
        raise bad("sync_period_ps", "come with a PTU file in T3 mode", f"{path}, which is none", "leave it out")
    if kind == HISTOGRAM:
        raise bad(str(path), "hold time tags", "a histogram (PHU)", "give it to qdot.correlate, or read it with qdot.read_snapshots")
    return READERS[kind](path)


def read_tags(path: str | Path, sync_period_ps: float | None = None) -> Tags:
    """The time tags of a file: PicoQuant PTU, Swabian .ttbin, NPZ, NPY, HDF5 or CSV, recognised by content.

    sync_period_ps: true period of the sync of a T3 file whose header states a wrong one. What the reader noticed stands in `.warnings`.
    Raises InputError for a file that is missing, broken or empty, whose header contradicts its records, or whose times go backwards.
    """
    return gathered(open_tags(path, sync_period_ps))


def save_tags(tags: Tags, path: str | Path) -> None:
    """Write a record so that `read_tags` gives the same back: .npz, .h5 (or .hdf5) or .csv, by the ending of the path."""
    path = Path(path)
    if path.suffix not in WRITERS:
        raise bad("path", f"end in {', '.join(WRITERS)}", repr(path.name), "the ending chooses the format")
    WRITERS[path.suffix](tags, path)
