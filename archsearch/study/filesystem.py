"""Which file system a store is on, and whether other machines may have it open too."""

from collections.abc import Iterable
from pathlib import Path

NETWORK = frozenset({
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "fhgfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2", "smb2", "smb3",
    "smbfs", "vboxsf", "virtiofs", "wekafs",
})  # fmt: skip
"""Kernel names of file systems that several machines, or a machine and its guests, may have open at once."""


def network_file_system(path: Path) -> str | None:
    """The kernel's name of the file system that holds `path`, where other machines may have it open too.

    Parameters
    ----------
    path : Path
        A file or folder that need not be there yet.

    Returns
    -------
    str or None
        ``"nfs4"``, ``"fuse.sshfs"``; None on a disk of this machine.
    """
    import psutil  # takes 20 ms

    mounts = [(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)]
    kind = file_system_of(path.resolve(), mounts)
    return kind if is_network(kind) else None


def file_system_of(path: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The file system that holds `path`: of those mounted above it the nearest, of several there the last.

    Parameters
    ----------
    path : Path
        Absolute, without links.
    mounts : iterable of (str, str)
        Mount points, with the names of the file systems mounted there, in the order of mounting.

    Returns
    -------
    str
        Empty where there is none.
    """
    above = [(len(Path(point).parts), kind) for point, kind in mounts if path.is_relative_to(point)]
    nearest = max((depth for depth, _ in above), default=0)
    return next((kind for depth, kind in reversed(above) if depth == nearest), "")


def is_network(kind: str) -> bool:
    """Whether other machines may have a file system of that name open too.

    Of those in user space (FUSE) few are local, and what is done for the others does these no harm.
    """
    return kind in NETWORK or kind.startswith("fuse.")
