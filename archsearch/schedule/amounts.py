"""Amounts of memory as users say them."""

import re

# As SI and IEC 80000-13 have them; nvidia-smi counts in MiB.
UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}


def memory_bytes(amount: float | str) -> int:
    """Bytes of an amount of memory, such as ``8``, ``"8GB"``, ``"7.5 GiB"``.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)", str(amount).strip(), re.ASCII)
    number, unit = found.groups() if found else ("", "")
    known = {name.casefold(): size for name, size in UNITS.items()}
    size = known.get((unit or "GB").casefold())
    if not number or not float(number) or size is None:
        raise ValueError(
            "no amount of memory; meant is a number above 0 with MB, GB (10⁹ bytes), MiB or GiB (2³⁰ bytes), "
            "such as 8GB; without a unit it is GB"
        )
    return round(float(number) * size)
