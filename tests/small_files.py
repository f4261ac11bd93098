"""Imported before a command: no file can grow beyond some kilobytes, as on a disk that is nearly full."""

import resource

resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
