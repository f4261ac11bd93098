"""What tests of damaged files share: a bound on memory, what a refusal looks like, archives made by hand."""

import io
import os
import resource
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from mlp_study.errors import UserError


@contextmanager
def bounded(mebibytes=600):
    """No more memory than that on top of what the process has: what asks for more ends in a MemoryError."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + mebibytes * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def ran_out_of_memory(error):
    """Whether what is behind a UserError is that memory, or what is allowed of it, did not suffice."""
    behind = error.__context__
    return isinstance(behind, MemoryError) or "alloc" in str(behind)


def refused(path, said, read):
    """`read()` ends in one line that names `path`."""
    with bounded(), pytest.raises(UserError, match=said) as error:
        read()
    assert str(path) in str(error.value)
    assert not ran_out_of_memory(error.value)
    assert "\n" not in str(error.value)


def not_files(folder):
    """A directory, a pipe and a name that leads nowhere."""
    (folder / "directory").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to(folder / "nowhere")
    return {"directory": "a directory", "pipe": "a pipe", "dangling": "no such file", "zero\0byte": "cannot be read"}


def zipped(entries, method=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return content.getvalue()


def npy(array, **header):
    """The array as numpy.save writes it, with another `shape` or `descr` in its header, if given."""
    content = io.BytesIO()
    if header:
        fields = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(content, fields | header)
        return content.getvalue() + array.tobytes()
    np.save(content, array)
    return content.getvalue()
