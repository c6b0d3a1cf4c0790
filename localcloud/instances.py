"""Instances: moto's records of them on one side, machines on the other, and what keeps the two true."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from localcloud.cgroups import ControlGroup
from localcloud.checks import Health
from localcloud.errors import BootFailed, LocalCloudError
from localcloud.guestfiles import guest_files, lay
from localcloud.limits import Limits, Size
from localcloud.machine import Ending, Machine, Plot
from localcloud.network import Network, Port
from localcloud.roster import Roster, set_state
from localcloud.site import Site


def size_of(instance_type: str) -> Size | None:
    """What an instance type has, None when it is not known."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    known = INSTANCE_TYPES.get(instance_type)
    return Size(known["VCpuInfo"]["DefaultVCpus"], known["MemoryInfo"]["SizeInMiB"]) if known else None


class Instances(Roster):
    """Every instance of the site and its machine.

    A record is moto's `Instance`. Changes of state are asked for here and happen in a thread of their own,
    one at a time for each instance; the record says what is under way.
    """

    def __init__(
        self,
        site: Site,
        network: Network,
        layers_of: Callable[[str], tuple[Path, ...]],
        notice: Callable[[str], None],
        machine_dies: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._site = site
        self._network = network
        self._layers_of = layers_of
        self._notice = notice
        self._machine_dies = machine_dies
        self._cgroup = ControlGroup.of(site)
        self._limits = Limits(self._cgroup, notice)
        self._machines: dict[str, Machine] = {}
        self._locks: dict[str, threading.RLock] = {}

    @property
    def folder(self) -> Path:
        """Where the machines' folders are."""
        return self._site.home / "instances"

    def machine(self, instance_id: str) -> Machine | None:
        """The machine of an instance that is not terminated."""
        return self._machines.get(instance_id)

    def health(self, instance_id: str) -> Health:
        """What a status check of an instance finds."""
        machine = self._machines.get(instance_id)
        return machine.health() if machine is not None else Health.IMPAIRED

    def layers_in_use(self) -> Iterable[Path]:
        """The layers that machines stand on."""
        return [layer for machine in self._machines.values() for layer in machine.layers]

    def launch(self, record: Any) -> None:
        """Bring a new record to life; it is `pending` until its machine runs."""
        self._records[record.id] = record
        self._locks[record.id] = threading.RLock()
        set_state(record, "pending")
        self._soon(record, self._first_boot)

    def restore(self, records: Iterable[Any]) -> None:
        """Take over the instances of an earlier run: those that ran boot again, stopped ones stay stopped."""
        kept = list(records)
        for record in kept:
            self._records[record.id] = record
            self._locks[record.id] = threading.RLock()
            self._restore(record)
        self._forget_folders_but({record.id for record in kept})

    def start(self, record: Any) -> None:
        """Boot a stopped instance again."""
        set_state(record, "pending")
        self._soon(record, self._boot)

    def stop(self, record: Any) -> None:
        """Shut an instance's machine down and keep its disk."""
        set_state(record, "stopping")
        self._soon(record, self._shut_down)

    def reboot(self, record: Any) -> None:
        """Ask an instance's machine to reboot."""
        machine = self._machines.get(record.id)
        if machine is not None:
            machine.reboot()

    def terminate(self, record: Any) -> None:
        """Shut an instance's machine down and remove its disk; its console stays readable."""
        set_state(record, "shutting-down")
        self._soon(record, self._remove)

    def capture(self, record: Any, layer: Path, *, reboot: bool) -> tuple[Path, ...]:
        """Make a layer of an instance's disk as it is now and return the layers of an image of it.

        A running machine is shut down for it and started again when `reboot`, else copied while it runs.
        """
        with self._locks[record.id]:
            machine = self._machines[record.id]
            below = machine.layers
            if machine.running and not reboot:
                machine.copy_layer(layer)
                return (layer, *below)
            was_running = machine.running
            machine.shut_down()
            machine.move_layer(layer)
            if was_running:
                self._boot(record)
            return (layer, *below)

    def console(self, instance_id: str) -> bytes:
        """The last 64 KiB that an instance's console said, as EC2 keeps."""
        path = Plot(self.folder / instance_id).console
        return path.read_bytes()[-65536:] if path.exists() else b""

    def end_all(self, *, patience_seconds: float) -> None:
        """Shut all machines down at once; their disks stay."""
        running = [machine for machine in self._machines.values() if machine.running]
        with ThreadPoolExecutor(max_workers=max(1, len(running))) as pool:
            list(pool.map(lambda machine: machine.shut_down(patience_seconds=patience_seconds), running))

    def _soon(self, record: Any, act: Callable[[Any], None]) -> None:
        def one_at_a_time() -> None:
            with self._locks[record.id]:
                act(record)
            self.changed()

        threading.Thread(target=one_at_a_time, name=f"{act.__name__}-{record.id}", daemon=True).start()

    def _first_boot(self, record: Any) -> None:
        try:
            layers = self._layers_of(record.image_id)
            self._machines[record.id] = self._new_machine(record, layers)
        except (LocalCloudError, OSError) as why:
            self._failed(record, why)
            return
        self._boot(record)

    def _restore(self, record: Any) -> None:
        layers = Plot(self.folder / record.id).layers()
        if not layers and record.state == "pending":
            self.launch(record)
            return
        if not layers or not all(layer.exists() for layer in layers):
            self._failed(record, LocalCloudError("the files it stood on are gone"))
            return
        self._machines[record.id] = self._new_machine(record, layers)
        if record.state in ("running", "pending"):
            self.start(record)
        else:
            set_state(record, "stopped")

    def _forget_folders_but(self, instance_ids: set[str]) -> None:
        for folder in self.folder.iterdir() if self.folder.exists() else ():
            if folder.name in instance_ids:
                continue
            if Plot(folder).layers():
                self._notice(f"{folder.name} was launched as the local cloud was killed, and is forgotten")
            shutil.rmtree(folder, ignore_errors=True)

    def _new_machine(self, record: Any, layers: tuple[Path, ...]) -> Machine:
        plot = Plot(self.folder / record.id)
        plot.prepare()
        plot.keep_layers(layers)
        lay(guest_files(self._site), plot.runtime)
        port = Port(record.id, IPv4Address(record.private_ip_address), record.nics[0].mac_address)
        return Machine(
            plot,
            layers,
            port,
            self._network,
            self._cgroup.child(record.id),
            lambda end: self._ended(record, end),
        )

    def _boot(self, record: Any) -> None:
        if record.state not in ("pending", "running"):
            return
        self._limits.apply(self._cgroup.child(record.id), size_of(record.instance_type))
        try:
            if self._machine_dies():
                raise BootFailed("it was not let boot, as asked for by local.fault")
            self._machines[record.id].boot()
        except (LocalCloudError, OSError) as why:
            self._failed(record, why)
            return
        if record.state == "pending":
            set_state(record, "running")

    def _failed(self, record: Any, why: Exception) -> None:
        self._notice(f"{record.id} failed to boot: {why}")
        self._remove(record)
        set_state(record, "terminated", "Server.InternalError", f"Internal error on launch: {why}")

    def _shut_down(self, record: Any) -> None:
        machine = self._machines.get(record.id)
        if machine is not None:
            machine.shut_down()
        if record.state == "stopping":
            set_state(record, "stopped")

    def _remove(self, record: Any) -> None:
        machine = self._machines.pop(record.id, None)
        if machine is not None:
            machine.shut_down()
            machine.destroy()
        set_state(record, "terminated")

    def _ended(self, record: Any, ending: Ending) -> None:
        """A machine ended by itself: powered off from inside, or crashed."""
        if ending is Ending.CRASHED:
            self._notice(f"{record.id} crashed; its console tells more")
        code = "Server.InternalError" if ending is Ending.CRASHED else "Client.InstanceInitiatedShutdown"
        message = "Instance crashed" if ending is Ending.CRASHED else "Instance initiated shutdown"
        if record.instance_initiated_shutdown_behavior == "terminate":
            record.ec2_backend.terminate_instances([record.id])
        else:
            record.stop()
        record.state_reason.code, record.state_reason.message = code, f"{code}: {message}"
