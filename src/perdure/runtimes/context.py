"""One principal's data plane, handed down as an argument and never through the air."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import read_bundle
from perdure.clock import Clock
from perdure.ids import BundleSha, RuntimeId, TenantId
from perdure.kernel.limits import Limits
from perdure.kernel.model import Birth, ProgramRef
from perdure.kernel.program import Program
from perdure.registry.effects import Http
from perdure.registry.guarded import Guarded
from perdure.registry.registry import Registry
from perdure.runtimes.deltas import Deltas
from perdure.runtimes.endpoints import Endpoints
from perdure.runtimes.hub import Hub
from perdure.runtimes.license import License
from perdure.runtimes.limits import Meter, RuntimeLimits
from perdure.stores.plane import Plane

K = TypeVar("K")
V = TypeVar("V")

PROGRAMS_KEPT = 256  # compiled programs a runtime keeps; the least used goes first


class Use:
    """Who uses a runtime right now, in this process; what somebody uses is not closed."""

    __slots__ = ("holders",)

    def __init__(self) -> None:
        """Begin with nobody."""
        self.holders = 0

    def __enter__(self) -> None:
        """Use it. Begin in the same breath as the runtime was opened, with no `await` between."""
        self.holders += 1

    def __exit__(self, *_raised: object) -> None:
        """Use it no more."""
        self.holders -= 1


@dataclass(slots=True)
class RuntimeContext:
    """The stores, limits and tools of one runtime. Whoever holds it can reach this plane and no other."""

    tenant: TenantId
    runtime: RuntimeId
    plane: Plane
    hub: Hub
    registry: Registry
    clock: Clock
    http: Http
    workspaces: Path
    endpoints: Endpoints | None = None  # `None` where nobody keeps any
    license: License | None = None  # to begin effects; `None` where no other process is
    deltas: Deltas = field(default_factory=Deltas)
    run_limits: Limits = field(default_factory=Limits)
    limits: RuntimeLimits = field(default_factory=RuntimeLimits)
    meter: Meter | None = None  # what its principal uses; `None` where nobody counts
    use: Use = field(default_factory=Use)
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)  # of one past at a time
    _bundles: "OrderedDict[BundleSha, Bundle]" = field(default_factory=OrderedDict)
    _reading: "dict[BundleSha, asyncio.Task[Bundle]]" = field(default_factory=dict)
    _programs: "OrderedDict[ProgramRef, Program]" = field(default_factory=OrderedDict)

    async def bundle(self, sha256: BundleSha) -> Bundle:
        """The bundle with these bytes, read once for all who ask meanwhile. Raises `BundleNotFound`."""
        bundle = self._bundles.get(sha256)
        if bundle is not None:
            self._bundles.move_to_end(sha256)
            return bundle
        reading = self._reading.get(sha256)
        if reading is None:
            reading = self._reading[sha256] = asyncio.create_task(self._read(sha256))
        return await asyncio.shield(reading)  # who gives up takes nothing from the others

    async def _read(self, sha256: BundleSha) -> Bundle:
        try:
            bundle = await asyncio.to_thread(read_bundle, await self.plane.bundles.content(sha256))
            _keep(self._bundles, sha256, bundle)
            return bundle
        finally:
            del self._reading[sha256]

    def program_at_hand(self, ref: ProgramRef) -> Program | None:
        """The program of a reference, if it was made before."""
        return self._programs.get(ref)

    async def program(self, ref: ProgramRef) -> Program:
        """The program of a reference. Raises `BundleNotFound`, `FlowNotFound`, `FlowRefused`, `FeatureAbsent`."""
        program = self._programs.get(ref)
        if program is None:
            bundle = None if ref.bundle is None else await self.bundle(ref.bundle)
            if ref not in self._programs:  # else another asker has made it meanwhile
                _keep(self._programs, ref, self.registry.program(ref, bundle))
            program = self._programs[ref]
        self._programs.move_to_end(ref)
        return program

    async def program_of(self, birth: Birth) -> Program:
        """The program of a run; that of a fork asks before it does harm. Raises as `program` does."""
        program = await self.program(birth.program)
        return program if birth.guard is None else Guarded(program, birth.guard)


def _keep(cache: OrderedDict[K, V], key: K, value: V) -> None:
    cache[key] = value
    while len(cache) > PROGRAMS_KEPT:
        cache.popitem(last=False)
