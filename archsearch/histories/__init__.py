"""Loss curves that other programs recorded: files, histories and tables, made into curves to judge."""

from archsearch.histories.curves import Recordings
from archsearch.histories.files import read_file
from archsearch.histories.objects import recorded
from archsearch.histories.values import RecordedCurve

__all__ = ["RecordedCurve", "Recordings", "read_file", "recorded"]
