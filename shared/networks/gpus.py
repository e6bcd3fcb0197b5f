"""Memory and load of the CUDA devices that a process sees, for Prometheus."""

from collections.abc import Iterator
from contextlib import suppress

import torch
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

UNAVAILABLE_ERRORS = (ModuleNotFoundError, RuntimeError)
"""What PyTorch says where NVIDIA's management library, or its Python binding, is not there."""


class GpuCollector(Collector):
    """Looked at when asked for. Without CUDA there are no samples; the load also needs `nvidia-ml-py`."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        free, total, used = (
            GaugeMetricFamily(name, about, labels=["device"])
            for name, about in MEMORY_METRICS
        )
        load = GaugeMetricFamily(
            "sera_gpu_utilisation_ratio",
            "Share of time that it computes.",
            labels=["device"],
        )
        for number in range(torch.cuda.device_count()):
            device = [str(number)]
            left, size = torch.cuda.mem_get_info(number)
            free.add_metric(device, left)
            total.add_metric(device, size)
            used.add_metric(device, torch.cuda.memory_reserved(number))
            with suppress(*UNAVAILABLE_ERRORS):
                load.add_metric(device, torch.cuda.utilization(number) / 100)
        yield from (free, total, used, load)


MEMORY_METRICS = (
    (
        "sera_gpu_memory_free_bytes",
        "Memory of the device that is free for any process.",
    ),
    ("sera_gpu_memory_size_bytes", "Memory of the device."),
    ("sera_gpu_memory_reserved_bytes", "Memory of the device that this process holds."),
)
