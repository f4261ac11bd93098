"""What this machine has: processor cores, CUDA devices, memory. Asked of the system; torch takes seconds to import."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path


def num_cores() -> int:
    """Processor cores that this process may use, or OMP_NUM_THREADS, if it is less; threads of one core count once."""
    cores = set()
    for number in os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1):
        siblings = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            cores.add(str(number))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(len(cores), int(asked)) if asked.isdecimal() and int(asked) > 0 else len(cores)


def cuda_memory() -> list[int]:
    """Bytes of memory of each CUDA device that this process sees; empty where there is none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    count, device, size = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_size_t(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    found = []
    for number in range(count.value):
        if driver.cuDeviceGet(ctypes.byref(device), number):
            return []
        driver.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        found.append(size.value)
    return found


def device_names(accelerator: str) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each CUDA device that is to train; empty where the processor is.

    Args:
        accelerator: auto, cpu or cuda.
    """
    if accelerator == "cpu":
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    return [str(number) for number in range(len(cuda_memory()))]


def free_memory(accelerator: str) -> float:
    """Bytes that a process can take: of the smallest CUDA device, or what is free beside the processor.

    Args:
        accelerator: auto, cpu or cuda.
    """
    if accelerator != "cpu" and (memory := cuda_memory()):
        return min(memory)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
