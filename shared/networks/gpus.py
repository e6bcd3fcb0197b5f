"""Memory and load of the CUDA devices that a process sees, for Prometheus."""

from collections.abc import Iterator
from contextlib import suppress

import torch
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

UNAVAILABLE_ERRORS = (ModuleNotFoundError, RuntimeError)
"""PyTorch raises these errors if NVIDIA's management library or its Python binding is missing."""


class GpuCollector(Collector):
    """Reads the devices at each scrape.

    Without CUDA there are no samples. The load also needs the package `nvidia-ml-py`.
    """

    def collect(self) -> Iterator[GaugeMetricFamily]:
        free = _device_gauge(
            "sera_gpu_memory_free_bytes",
            "Memory of the device that is free for any process.",
        )
        size = _device_gauge("sera_gpu_memory_size_bytes", "Memory of the device.")
        reserved = _device_gauge(
            "sera_gpu_memory_reserved_bytes",
            "Memory of the device that this process holds.",
        )
        load = _device_gauge(
            "sera_gpu_utilisation_ratio", "Share of time that it computes."
        )
        for number in range(torch.cuda.device_count()):
            labels = [str(number)]
            free_bytes, size_bytes = torch.cuda.mem_get_info(number)
            free.add_metric(labels, free_bytes)
            size.add_metric(labels, size_bytes)
            reserved.add_metric(labels, torch.cuda.memory_reserved(number))
            with suppress(*UNAVAILABLE_ERRORS):
                load.add_metric(labels, torch.cuda.utilization(number) / 100)
        yield from (free, size, reserved, load)


def _device_gauge(name: str, description: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, description, labels=["device"])
