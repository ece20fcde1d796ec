"""One training that somebody else recorded, as it was read."""

from dataclasses import dataclass

from archsearch.diagnosis import Context, Curves


@dataclass(frozen=True, slots=True, eq=False)
class RecordedCurve:
    """The loss curves of one training, with what its record says besides.

    Attributes
    ----------
    name : str
        The `curve` column, or the file's name.
    curves : Curves
    context : Context
    notes : tuple of str
        What is to be said about the input, one sentence each: epochs put in order, epochs missing,
        negative losses.
    """

    name: str
    curves: Curves
    context: Context
    notes: tuple[str, ...] = ()
