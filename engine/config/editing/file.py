"""The configuration file on disk: read with its digest, written in one go.

A file is replaced, never written over: whoever reads it meanwhile sees the old one or the new one,
and a full disk leaves the old one. No copy of the old one is left lying about: it may hold secrets,
and what belongs to a configuration's history is under version control.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.config.home import expanded
from engine.config.loader import content_of, decoded
from engine.errors import ConfigError, RefusedError

_BOM = b"\xef\xbb\xbf"
_ACL = "system.posix_acl_access"
_BY_HAND = "Change it by hand, as who owns it, then reload"


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's text as it was read."""

    path: Path  # links resolved
    text: str
    digest: str
    mode: int
    has_mark: bool = False  # begins with a byte order mark

    def encoded(self, text: str) -> bytes:
        """Return another text as the bytes that this file would have with it."""
        return (_BOM if self.has_mark else b"") + text.encode()


def read(path: Path) -> FileText:
    """Read a file; raises InvalidConfigError when it cannot be read or is no text."""
    resolved = expanded(path).resolve()
    content, mode = content_of(resolved)
    text = decoded(content, str(resolved))
    return FileText(resolved, text, digest_of(content), mode, content.startswith(_BOM))


def digest_of(content: bytes) -> str:
    """Return what tells one state of a file from another."""
    return hashlib.sha256(content).hexdigest()


def write(file: FileText, text: str) -> FileText:
    """Replace what was read by another text, with the same owner and mode.

    Raises RefusedError when the file is not the one that was read any more, or cannot be replaced.
    """
    content = file.encoded(text)
    try:
        _replace(file, content)
    except OSError as error:
        raise _refused(file.path, _why(error, file.path)) from None
    return FileText(file.path, text, digest_of(content), file.mode, file.has_mark)


def create(path: Path, text: str) -> FileText:
    """Write a new file that only its owner can read; raises ConfigError when there is one already.

    Folders on the way are made.
    """
    resolved = expanded(path).resolve()
    try:
        resolved.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(resolved, text.encode())
        try:
            os.link(temporary, resolved)  # unlike a rename it replaces nothing
        finally:
            temporary.unlink()
        _sync_folder(resolved.parent)
    except FileExistsError:
        step = "Open it, or name another file"
        raise ConfigError("writing", str(resolved), "the file is there already", step) from None
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigError("writing", str(resolved), cause, "Name another file") from None
    return read(resolved)


def why_not_writable(path: Path) -> str:
    """Say why a file could not be replaced; empty when it probably can."""
    try:
        found = path.stat()
    except OSError as error:
        return error.strerror or str(error)
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    effective = os.access in os.supports_effective_ids
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=effective):
        return f"ccr (user id {os.geteuid()}) may not write in {path.parent}"
    if os.geteuid() not in (0, found.st_uid):
        return f"it belongs to user id {found.st_uid}, and ccr runs as {os.geteuid()}"
    return ""


def _replace(file: FileText, content: bytes) -> None:
    before = file.path.stat()
    if not stat.S_ISREG(before.st_mode):
        raise _refused(file.path, "it is no regular file")
    temporary = _temporary(file.path, content)
    try:
        _like(temporary, before, file.path)
        if digest_of(content_of(file.path)[0]) != file.digest:
            raise changed_meanwhile(file.path)
        temporary.replace(file.path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(file.path.parent)


def changed_meanwhile(path: Path) -> RefusedError:
    """Return the refusal for a file that somebody else has changed."""
    return RefusedError(
        "saving",
        str(path),
        "somebody else has changed the file since it was read",
        "Look at what it says now, and make the change again",
    )


def _temporary(path: Path, content: bytes) -> Path:
    """Write a file beside another that only we can read, down to the disk."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _like(temporary: Path, before: os.stat_result, path: Path) -> None:
    """Give a new file owner, rights and access list of the one that it replaces."""
    created = temporary.stat()
    if (created.st_uid, created.st_gid) != (before.st_uid, before.st_gid):
        os.chown(temporary, before.st_uid, before.st_gid)
    temporary.chmod(stat.S_IMODE(before.st_mode))
    if hasattr(os, "getxattr"):
        with contextlib.suppress(OSError):  # it has none, or the file system knows of none
            rights = os.getxattr(path, _ACL)
            os.setxattr(temporary, _ACL, rights)


def _sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk; not every file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: OSError, path: Path) -> str:
    if error.errno in (errno.EBUSY, errno.EXDEV):
        return "it is mounted by itself (a container's?), so it cannot be replaced"
    reason = error.strerror or str(error)
    return why_not_writable(path) or f"{reason[:1].lower()}{reason[1:]}"


def _refused(path: Path, cause: str) -> RefusedError:
    return RefusedError("saving", str(path), cause, _BY_HAND)
