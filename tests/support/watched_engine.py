"""Shows that all passes of a network go through its engine, and counts their images."""

from copy import deepcopy

from shared.engines import CompiledNetwork, Engine, Features, Images
from shared.networks import TapNetwork


class WatchedEngine:
    """An engine with the members of the port and no others; `passes` has the images of each run.

    Once a network is compiled, it fails if anybody runs it beside the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self.device = engine.device
        self.precision = engine.precision
        self.passes: list[int] = []
        self._engine = engine

    def compile(
        self, network: TapNetwork, *, batch_size: int | None = None
    ) -> "WatchedNetwork":
        compiled = self._engine.compile(deepcopy(network), batch_size=batch_size)
        network.register_forward_pre_hook(refuse)
        return WatchedNetwork(compiled, self.passes)


class WatchedNetwork:
    def __init__(self, compiled: CompiledNetwork, passes: list[int]) -> None:
        self._compiled = compiled
        self._passes = passes

    def run(self, images: Images) -> Features:
        self._passes.append(len(images))
        return self._compiled.run(images)


def refuse(*_: object) -> None:
    raise AssertionError("the network was run beside its engine")
