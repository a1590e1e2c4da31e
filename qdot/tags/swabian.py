"""Swabian Time Tagger files (.ttbin) in blocks, through the vendor's library, which reads them alone.

Without the library the error says how to export; docs/tags.md holds the lines.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from qdot.errors import InputError, bad
from qdot.tags.header import channels_of
from qdot.tags.recording import Block, Ending, Recording

EXPORT = (
    "install the vendor's package Swabian-TimeTagger, or export where it is installed: read the file with TimeTagger.FileReader and save "
    "np.savez('tags.npz', time_ps=timestamps, channel=channels) (docs/tags.md)"
)
TIME_TAG = 0
"""Type of an event that is a time tag; the others tell that tags were lost."""


def open_ttbin(path: Path) -> Recording:
    """The recording of a .ttbin file; raises InputError where the vendor's library is not installed or cannot read it."""
    library = _library(path)

    def blocks(size: int) -> Generator[Block, None, Ending]:
        first = last = None
        lost = 0
        try:
            reader = library.FileReader(str(path))
            while reader.hasData():
                data = reader.getData(size)
                time, channel, kind = (np.asarray(f()) for f in (data.getTimestamps, data.getChannels, data.getEventTypes))
                is_tag = kind == TIME_TAG
                lost += int(np.count_nonzero(~is_tag))
                time, channel = time[is_tag].astype(np.int64), channels_of(path, channel[is_tag])
                if time.size:
                    first, last = int(time[0]) if first is None else first, int(time[-1])
                yield time, channel, 0.0  # the library does not say how much is left
        except InputError:
            raise
        except (RuntimeError, OSError, ValueError) as error:
            raise bad(str(path), "be a complete Time Tagger file", str(error), "copy it again, with all its parts (.1.ttbin, .2.ttbin, ...)") from None
        told = (f"the time tagger lost tags: {lost} marks of overflow or error in the stream",) if lost else ()
        return Ending(1, 0, told) if first is None or last is None else Ending(max(1, last - first), first, told)

    return Recording(str(path), blocks)


def _library(path: Path) -> Any:
    try:
        from Swabian import TimeTagger
    except ImportError:
        try:
            import TimeTagger
        except ImportError:
            raise bad(f"{path}", "be read with the vendor's library for .ttbin files", "none installed", EXPORT) from None
    return TimeTagger
