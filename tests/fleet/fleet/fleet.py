# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of one state directory, together."""

import os
import shutil
import subprocess
from pathlib import Path

from fleet.boot import wait_until_booted
from fleet.bootstrap import is_root
from fleet.errors import FleetError
from fleet.firmware import firmware_files
from fleet.host import require_programs, require_space
from fleet.image import Image, prepared_image, ready_image
from fleet.interrupt import uninterrupted
from fleet.inventory import render_inventory, render_ssh_config
from fleet.kernel import boot_files
from fleet.lock import locked
from fleet.node import FRESH, Node
from fleet.progress import say
from fleet.qemu import ready_qemu
from fleet.spec import packages_of, preparation_of, read_spec, render_spec
from fleet.wire import Wire

SPACE_PER_NODE = 1 << 30  # bytes: two snapshots, and what a test writes


class Fleet:
    """The fleet of a state directory. Whatever changes it holds the directory's lock."""

    def __init__(self, directory, timeout=600):
        """timeout: seconds that a node may take to boot."""
        self.directory = Path(directory).absolute()
        self.timeout = timeout
        self.inventory = self.directory / 'inventory.yml'
        self.ssh_config = self.directory / 'ssh_config'
        self._spec = self.directory / 'fleet.yml'
        self._image = self.directory / 'image'
        self._prepared = self.directory / 'prepared'

    def nodes(self, names=()):
        """The nodes of these names, or all. Raises FleetError if there is no fleet, or no such node."""
        if not self._spec.exists():
            raise FleetError(f'there is no fleet in {self.directory}. Start one: fleet up --spec FILE --state DIR')
        image = Image(self._image.resolve())
        specs = read_spec(self._spec)
        wire = Wire(tuple(spec.name for spec in specs if spec.wire))
        qemu = tuple(ready_qemu())
        place = self.directory / 'nodes'
        nodes = {spec.name: Node(spec, image, place / spec.name, wire, qemu) for spec in specs}
        unknown = [name for name in names if name not in nodes]
        if unknown:
            raise FleetError(f'there is no node {", ".join(unknown)}; there are {", ".join(nodes)}.')
        return [node for name, node in nodes.items() if not names or name in names]

    def up(self, specs):
        """Boot a fleet of these NodeSpecs; what already runs of exactly them is kept."""
        require_programs('qemu-img', 'ssh')
        self.directory.mkdir(parents=True, exist_ok=True)
        require_space(self.directory, SPACE_PER_NODE * len(specs))
        with self._lock():
            image = self._ready_image(specs)
            for spec in specs:
                # What is not there costs nobody a fleet that runs
                boot_files(image, spec.kernel)
                firmware_files(spec.firmware)
            if self._is(specs, image):
                self._complete()
            else:
                self._down()
                self._make(specs, image)
            say('fleet: up')

    def down(self):
        """Kill all nodes and remove their disks; their logs stay. Without a fleet, do nothing."""
        if self.directory.exists():
            with self._lock(), uninterrupted():
                self._down()

    def reboot(self, names):
        """Cut the power of nodes and switch them on again."""
        with self._lock():
            nodes = self.nodes(names)
            for node in nodes:
                node.kill()
            self._start(nodes)

    def snapshot(self, name, names):
        """Save the state of nodes, disk and memory, under a name."""
        with self._lock():
            for node in self.nodes(names):
                node.snapshot(name)
                say(f'{node.name}: saved as {name}')

    def reset(self, name, names):
        """Bring nodes back to a snapshot."""
        with self._lock():
            nodes = self.nodes(names)
            for node in nodes:
                node.require_snapshot(name)
            for node in nodes:
                node.kill()
            self._start(nodes, name)

    def wait(self, names):
        """Return when nodes that run have booted, after `ssh NODE reboot` for instance."""
        wait_until_booted(self.nodes(names), self.ssh_config, self.timeout)

    def _ready_image(self, specs):
        """The image of these NodeSpecs; one that a program prepares is of this fleet alone, and made when it starts."""
        program = preparation_of(specs)
        if not program:
            return ready_image(packages_of(specs))
        if self._prepared.exists() and self._is(specs, Image(self._prepared)):
            return Image(self._prepared)
        self._down()
        return prepared_image(self._prepared, packages_of(specs), lambda tree: self._prepare(program, tree))

    def _prepare(self, program, tree):
        """Run a program that changes a tree of files, as root. Raises FleetError."""
        if not is_root():
            raise FleetError(f'{program} is to be run by root: it changes a system in a directory. Run this as root.')
        say(f'image: {program}')
        log = self.directory / 'prepare.log'
        with log.open('wb') as output:
            environment = {**os.environ, 'FLEET_STATE': str(self.directory)}
            done = subprocess.run(
                [program, tree], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
            )
        if done.returncode:
            raise FleetError(f'{program} ended with {done.returncode}. See {log}')

    def _lock(self):
        return locked(self.directory / 'lock', f'the fleet in {self.directory}')

    def _is(self, specs, image):
        return (
            self._spec.exists()
            and self._spec.read_text() == render_spec(specs)
            and self._image.resolve() == image.directory.resolve()
            and all(node.boots_its_kernel for node in self.nodes())
        )

    def _make(self, specs, image):
        """Boot a new fleet, or leave none."""
        try:
            self._image.unlink(missing_ok=True)
            self._image.symlink_to(image.directory)
            self._spec.write_text(render_spec(specs))
            for node in self.nodes():
                node.create()
            resuming = [node for node in self.nodes() if node.can_resume]
            self._boot_for_the_first_time([node for node in resuming if not node.booted_before])
            self._start([node for node in self.nodes() if not node.can_resume])
            self._start(resuming, FRESH)
        except BaseException:
            with uninterrupted():
                self._down()
            raise

    def _complete(self):
        """Keep the nodes that run, and boot the others, or leave those off."""
        nodes = self.nodes()
        off = [node for node in nodes if node.pid is None]
        for node in nodes:
            if node not in off:
                say(f'{node.name}: runs already')
        try:
            self._start(off)
        except BaseException:
            with uninterrupted():
                for node in off:
                    node.kill()
            raise

    def _boot_for_the_first_time(self, nodes):
        """Boot nodes as the image never saw them, and let it remember: from now on they resume from there."""
        if nodes:
            self._start(nodes)
            for node in nodes:
                say(f'{node.name}: saving')
                node.remember_first_boot()
                node.create()

    def _start(self, nodes, snapshot=None):
        for node in nodes:
            say(f'{node.name}: {"resuming " + snapshot if snapshot else "booting"}')
            node.start(snapshot)
        reachable = [node for node in self.nodes() if node.port]  # ssh reads nothing of a file with a port 0
        self.inventory.write_text(render_inventory(reachable, self.directory))
        self.ssh_config.write_text(render_ssh_config(reachable, self.directory))
        wait_until_booted(nodes, self.ssh_config, self.timeout, resumed=snapshot is not None)

    def _down(self):
        if not self._spec.exists():
            return
        for node in self.nodes():
            if node.kill():
                say(f'{node.name}: off')
        self._forget()

    def _forget(self):
        for node in self.nodes():
            node.remove()
        for path in (self._spec, self._image, self.inventory, self.ssh_config):
            path.unlink(missing_ok=True)
        shutil.rmtree(self._prepared, ignore_errors=True)
