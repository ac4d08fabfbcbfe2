"""Directories of root's in ``.cloudtop`` on the volume, and the files in them.

Whoever owns the volume's root may exchange ``.cloudtop`` at any moment, and root of a container
that has the volume may put links, pipes and other files' names into it. So a directory is opened
once, name by name and through no link, and is used by its handle from then on. A file is taken
only if it is a regular file of root's that has no second name.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

TOP = ".cloudtop"
# Reading a pipe, or opening one to write, would wait for its other end
SAFE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotRoots(Exception):
    """A place is another's, or is no file: by it root could be led to read or write anywhere."""


class VolumeDirectory:
    """An open directory. ``place`` is the path by which people find it."""

    def __init__(self, handle: int, place: str, owner: int) -> None:
        self.handle, self.place, self.owner = handle, place, owner

    @classmethod
    def top(cls, mount_point: str, owner: int = 0, make: bool = True) -> VolumeDirectory:
        """``.cloudtop`` of a volume, made if need be. Raises NotRoots, or OSError.

        The volume's root itself is the user's.
        """
        above = cls.of(mount_point, owner)
        try:
            return above.inside(TOP, make)
        finally:
            above.close()

    @classmethod
    def of(cls, mount_point: str, owner: int = 0) -> VolumeDirectory:
        """The root of a file system, whoever owns it. Raises OSError."""
        handle = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return cls(handle, mount_point, owner)

    def inside(self, name: str, make: bool = True, mode: int = 0o755) -> VolumeDirectory:
        """A directory in this one, made if need be. Raises NotRoots, or OSError."""
        place = f"{self.place}/{name}"
        refusal = f"{place} is no directory of root's: nothing there was read or written."
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=self.handle)
        try:
            handle = os.open(name, DIRECTORY, dir_fd=self.handle)
        except OSError as error:
            # A file or a link is in its place
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise NotRoots(refusal) from None
        if os.fstat(handle).st_uid != self.owner:
            os.close(handle)
            raise NotRoots(refusal)
        return VolumeDirectory(handle, place, self.owner)

    @property
    def path(self) -> str:
        """A path for this process and its forked copies, which leads here whatever its name means.

        Programs that it runs do not have the handle.
        """
        return f"/proc/self/fd/{self.handle}"

    def close(self) -> None:
        """The volume can be unmounted from now on."""
        os.close(self.handle)

    def open(self, name: str, flags: int = os.O_RDONLY) -> BinaryIO:
        """A file of root's, to be read, or written with ``flags``. Raises NotRoots, or OSError."""
        refusal = (
            f"{self.place}/{name} is no regular file of root's with one name: it was left alone."
        )
        try:
            # Emptied only if it is the right one
            handle = os.open(name, flags & ~os.O_TRUNC | SAFE, 0o644, dir_fd=self.handle)
        except OSError as error:
            # A link, or a pipe that nobody reads, or a directory
            if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
                raise
            raise NotRoots(refusal) from None
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != self.owner or status.st_nlink != 1:
            os.close(handle)
            raise NotRoots(refusal)
        if flags & os.O_TRUNC:
            os.ftruncate(handle, 0)
        if flags & os.O_RDWR:
            return os.fdopen(handle, "r+b")
        return os.fdopen(handle, "wb") if flags & os.O_WRONLY else os.fdopen(handle, "rb")

    def replace(self, name: str, data: bytes, uid: int | None = None) -> None:
        """Put a file in place of another: whole and on the disk, or not there. Raises OSError.

        Nobody can be first at the new one's name. ``uid`` is its owner if that is not root.
        """
        new = f"{name}.{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(new, flags, 0o644, dir_fd=self.handle)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o644)
                file.write(data)
                file.flush()
                if uid is not None and uid != os.geteuid():
                    os.fchown(handle, uid, -1)
                os.fsync(handle)
            os.replace(new, name, src_dir_fd=self.handle, dst_dir_fd=self.handle)
        except BaseException:
            os.unlink(new, dir_fd=self.handle)
            raise
        os.fsync(self.handle)
